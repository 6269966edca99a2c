// A causal 1-D convolution over rows [T, C] for streams: what came before a chunk is the state, and
// the last rows are the state of the next one. An implicit GEMM on tensor cores (mma.sync): the rows
// of all streams lie one below another, each tap adds a product with its own weights. Rows come from
// the state or from the chunk where they lie; nothing is joined in memory first.
#include "tiles.h"

namespace autovoice {
namespace {

using namespace tiles;

constexpr const char* kOp = "stream_conv1d";

template <typename T>
struct StreamArgs {
  using Value = T;
  const T* x;         // [batch, rows, in]
  const T* state;     // [batch, held, in]
  const T* weight;    // [taps, in, out]
  const float* bias;  // [out]
  T* y;               // [batch, rows, out]
  T* next;            // [batch, held, in]
  int64_t x_stride, total;
  int batch, rows, held, in, out, taps, dilation;
};

// A row of the output: its stream's chunk, the end of its state, and its place in the chunk.
template <typename T>
struct Place {
  const T* x;
  const T* state_end;
  int t;  // under 0: there is no such row
};

template <typename T>
__device__ __forceinline__ Place<T> place_of(const StreamArgs<T>& p, int64_t row) {
  if (row >= p.total) return {p.x, p.x, -1};
  const int64_t item = row / p.rows;
  return {p.x + item * p.x_stride, p.state + (item + 1) * p.held * p.in, int(row - item * p.rows)};
}

// Fetch a step: rows as one tap sees them, 32 channels of them, and the weights of these.
template <typename T, int Rows, int Columns, int Stages, int Threads, int Mine>
__device__ __forceinline__ void fetch(const StreamArgs<T>& p, T* ring, int step, int slabs,
                                      const Place<T> (&places)[Mine], int first_column) {
  constexpr int kWeightPitch = Columns + kPad;
  T* rows = ring + (step % Stages) * (Rows * kPitch + kStep * kWeightPitch);
  const int tap = step / slabs, base = (step - tap * slabs) * kStep, part = (threadIdx.x % 4) * 8;
  const int back = (p.taps - 1 - tap) * p.dilation, channel = base + part;
#pragma unroll
  for (int i = 0; i < Mine; ++i) {
    const Place<T>& place = places[i];
    const bool there = place.t >= 0 && channel < p.in;
    const int at = place.t - back;
    const T* source = (at >= 0 ? place.x : place.state_end) + int64_t(at) * p.in + channel;
    copy_16(rows + (int(threadIdx.x) / 4 + i * (Threads / 4)) * kPitch + part, there ? source : p.x, there);
  }
  T* weights = rows + Rows * kPitch;
  for (int at = threadIdx.x; at < kStep * Columns / 8; at += Threads) {
    const int k = at / (Columns / 8), column = (at % (Columns / 8)) * 8;
    const bool there = base + k < p.in && first_column + column < p.out;
    const T* source = p.weight + (int64_t(tap) * p.in + base + k) * p.out + first_column + column;
    copy_16(weights + k * kWeightPitch + column, there ? source : p.weight, there);
  }
}

// The last rows of state and chunk, shared out over all threads of the grid.
template <typename T>
__device__ void carry_on(const StreamArgs<T>& p) {
  const int eighths = p.in / 8;
  const int64_t count = int64_t(p.batch) * p.held * eighths, threads = int64_t(gridDim.x) * gridDim.y * blockDim.x;
  const int64_t first = (int64_t(blockIdx.y) * gridDim.x + blockIdx.x) * blockDim.x + threadIdx.x;
  for (int64_t at = first; at < count; at += threads) {
    const int64_t line = at / eighths, item = line / p.held;
    const int64_t c = (at - line * eighths) * 8, row = line - item * p.held + p.rows;
    const T* source = row < p.held ? p.state + (item * p.held + row) * p.in
                                   : p.x + item * p.x_stride + (row - p.held) * p.in;
    *reinterpret_cast<uint4*>(p.next + line * p.in + c) = *reinterpret_cast<const uint4*>(source + c);
  }
}

template <typename T>
__device__ __forceinline__ void store_2(T* to, float first, float second) {
  if constexpr (std::is_same_v<T, half>) *reinterpret_cast<half2*>(to) = __floats2half2_rn(first, second);
  else *reinterpret_cast<__nv_bfloat162*>(to) = __floats2bfloat162_rn(first, second);
}

template <typename T, int TilesM, int TilesN>
__device__ __forceinline__ void finish(const StreamArgs<T>& p, const float (&sum)[TilesM][TilesN][4],
                                       int64_t row_of_lane, int column_of_lane) {
#pragma unroll
  for (int n = 0; n < TilesN; ++n) {
    const int column = column_of_lane + n * 8;
    if (column >= p.out) continue;
    const float bias[2] = {p.bias ? p.bias[column] : 0.f, p.bias ? p.bias[column + 1] : 0.f};
#pragma unroll
    for (int m = 0; m < TilesM; ++m) {
#pragma unroll
      for (int part = 0; part < 2; ++part) {
        const int64_t row = row_of_lane + m * 16 + part * 8;
        if (row >= p.total) continue;
        store_2(p.y + row * p.out + column, sum[m][n][2 * part] + bias[0], sum[m][n][2 * part + 1] + bias[1]);
      }
    }
  }
}

template <typename T, int Rows, int Columns, int WarpsM, int WarpsN, int Stages>
__global__ void __launch_bounds__(WarpsM* WarpsN * 32) stream_rows(const StreamArgs<T> p) {
  constexpr int kThreads = WarpsM * WarpsN * 32, kMine = Rows * 4 / kThreads;
  constexpr int kTilesM = Rows / WarpsM / 16, kTilesN = Columns / WarpsN / 8, kWeightPitch = Columns + kPad;
  static_assert(kMine * kThreads == Rows * 4 && kTilesM >= 1 && kTilesN % 2 == 0);
  extern __shared__ __align__(16) unsigned char memory[];
  T* ring = reinterpret_cast<T*>(memory);
  const int64_t first_row = int64_t(blockIdx.x) * Rows;
  const int first_column = blockIdx.y * Columns, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warp_m = warp / WarpsN, warp_n = warp % WarpsN;
  const int slabs = (p.in + kStep - 1) / kStep, steps = p.taps * slabs;
  Place<T> places[kMine];
#pragma unroll
  for (int i = 0; i < kMine; ++i) places[i] = place_of(p, first_row + int(threadIdx.x) / 4 + i * (kThreads / 4));
#pragma unroll
  for (int s = 0; s < Stages - 1; ++s) {
    if (s < steps) fetch<T, Rows, Columns, Stages, kThreads>(p, ring, s, slabs, places, first_column);
    commit();
  }
  carry_on(p);

  float sum[kTilesM][kTilesN][4] = {};
  const int row_at = (warp_m * kTilesM * 16 + lane % 16) * kPitch + (lane / 16) * 8;
  const int weight_at = Rows * kPitch + (lane % 16) * kWeightPitch + warp_n * kTilesN * 8 + (lane / 16) * 8;
  for (int step = 0; step < steps; ++step) {
    wait_for<Stages - 2>();
    __syncthreads();
    if (step + Stages - 1 < steps) {
      fetch<T, Rows, Columns, Stages, kThreads>(p, ring, step + Stages - 1, slabs, places, first_column);
    }
    commit();
    const T* tile = ring + (step % Stages) * (Rows * kPitch + kStep * kWeightPitch);
#pragma unroll
    for (int k = 0; k < kStep; k += 16) {
      unsigned a[kTilesM][4];
#pragma unroll
      for (int m = 0; m < kTilesM; ++m) load_4(a[m], tile + row_at + m * 16 * kPitch + k);
#pragma unroll
      for (int n = 0; n < kTilesN; n += 2) {
        unsigned b[4];
        load_4_transposed(b, tile + weight_at + k * kWeightPitch + n * 8);
#pragma unroll
        for (int m = 0; m < kTilesM; ++m) {
          multiply<T>(sum[m][n], a[m], b[0], b[1]);
          multiply<T>(sum[m][n + 1], a[m], b[2], b[3]);
        }
      }
    }
  }
  wait_for<0>();
  finish(p, sum, first_row + warp_m * kTilesM * 16 + lane / 4,
         first_column + warp_n * kTilesN * 8 + (lane % 4) * 2);
}

template <typename T, int Rows, int Columns, int WarpsM, int WarpsN, int Stages>
void launch(const StreamArgs<T>& p, cudaStream_t stream) {
  auto* kernel = stream_rows<T, Rows, Columns, WarpsM, WarpsN, Stages>;
  const size_t bytes = Stages * (Rows * kPitch + kStep * (Columns + kPad)) * sizeof(T);
  allow_shared(kernel, bytes);
  const dim3 grid(unsigned(divided_up(p.total, Rows)), unsigned(divided_up(p.out, Columns)));
  kernel<<<grid, WarpsM * WarpsN * 32, bytes, stream>>>(p);
  check_launch(kOp);
}

// Tiles as large as still keep every multiprocessor busy: large ones read less. A small one does little
// in a step, so that more steps have to be under way.
template <typename T>
void run(const StreamArgs<T>& p, int count, cudaStream_t stream) {
  const auto enough = [&](int rows, int columns) {
    return divided_up(p.total, rows) * divided_up(p.out, columns) >= count;
  };
  if (enough(128, 128) && p.out > 64) launch<T, 128, 128, 2, 4, 4>(p, stream);
  else if (enough(64, 64) && p.out > 32) launch<T, 64, 64, 2, 2, 6>(p, stream);
  else launch<T, 32, 32, 2, 2, 8>(p, stream);
}

void check_call(const Tensor& x, const Tensor& state, const Tensor& weight, int64_t dilation) {
  check_device(x, kOp, "x");
  STD_TORCH_CHECK(weight.dim() == 3 && weight.size(0) >= 1 && state.dim() == 3, kOp,
                  ": expected weight [taps, in, out] and state [batch, held, in]");
  const ScalarType type = x.scalar_type();
  const int64_t batch = x.size(0), in = weight.size(1), out = weight.size(2), taps = weight.size(0);
  STD_TORCH_CHECK(x.size(2) == in, kOp, ": x has ", x.size(2), " channels, weight ", in);
  STD_TORCH_CHECK(in >= 8 && in % 8 == 0 && out >= 8 && out % 8 == 0 && in <= 65536 && out <= 65536, kOp,
                  ": found ", in, " and ", out, " channels, expected multiples of 8 up to 65536");
  STD_TORCH_CHECK(dilation >= 1 && dilation < (1 << 20) && taps < 1024, kOp, ": found ", taps,
                  " taps and a dilation of ", dilation, ", expected fewer than 1024 and 2^20");
  STD_TORCH_CHECK(state.size(0) == batch && state.size(1) == (taps - 1) * dilation && state.size(2) == in, kOp,
                  ": found a state [", state.size(0), ", ", state.size(1), ", ", state.size(2), "], expected [",
                  batch, ", ", (taps - 1) * dilation, ", ", in, "]");
  STD_TORCH_CHECK(batch * x.size(1) < (int64_t(1) << 31), kOp, ": found ", batch, " streams of ", x.size(1),
                  " rows, expected fewer than 2^31 rows");
  check_rows(state, kOp, "state", type, batch * state.size(1) * in);
  check_rows(weight, kOp, "weight", type, taps * in * out);
}

std::tuple<Tensor, Tensor> stream_conv1d(const Tensor& x, const Tensor& weight, const Tensor& state,
                                         const std::optional<Tensor>& bias, int64_t dilation) {
  const int64_t x_stride = item_stride(x, kOp, "x");
  check_call(x, state, weight, dilation);
  STD_TORCH_CHECK(x_stride % 8 == 0 && reinterpret_cast<uintptr_t>(x.data_ptr()) % 16 == 0, kOp,
                  ": rows of x do not begin at multiples of 16 bytes; call .clone() on it");
  const int64_t batch = x.size(0), rows = x.size(1), out = weight.size(2);
  if (bias) check_dense(*bias, kOp, "bias", ScalarType::Float, out);
  torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  Tensor y = torch::stable::new_empty(x, {batch, rows, out}, x.scalar_type());
  Tensor next = torch::stable::new_empty(x, {batch, state.size(1), state.size(2)}, x.scalar_type());
  if (batch == 0) return {y, next};
  const auto with = [&](auto p) {
    using T = typename decltype(p)::Value;
    p.x = pointer<T>(x), p.state = pointer<T>(state), p.weight = pointer<T>(weight);
    p.bias = bias ? pointer<float>(*bias) : nullptr, p.y = pointer<T>(y), p.next = pointer<T>(next);
    p.x_stride = x_stride, p.total = batch * rows, p.batch = int(batch), p.rows = int(rows);
    p.held = int(state.size(1)), p.in = int(x.size(2)), p.out = int(out);
    p.taps = int(weight.size(0)), p.dilation = int(dilation);
    run(p, processors(x), current_stream(x));
  };
  STD_TORCH_CHECK(rows >= 1, kOp, ": found a chunk without rows, expected at least one");
  StreamArgs<half> halves{};
  StreamArgs<__nv_bfloat16> brains{};
  if (x.scalar_type() == ScalarType::Half) with(halves);
  else with(brains);
  return {y, next};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(autovoice, CUDA, library) {
  library.impl("stream_conv1d", TORCH_BOX(&stream_conv1d));
}

}  // namespace autovoice
