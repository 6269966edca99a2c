// A 1-D convolution over rows [T, C] in half precision with all that stands around it in the
// decoder: before it adaptive instance normalisation and Snake (or leaky ReLU), after it the bias,
// up to two residuals, a factor, and the moments that the next normalisation needs.
//
// An implicit GEMM on tensor cores (mma.sync, fp16 in, fp32 accumulated). A block activates the
// rows that its tile reaches, halo included, once, in shared memory; the weights stream through a
// ring of tiles. Moments are added as fixed-point integers: integer addition is associative, so
// that the same input gives the same bits whatever the order of the blocks.
#include "style_conv1d.h"

#include <cuda_fp16.h>

namespace autovoice {
namespace {

constexpr int kThreads = 256;
constexpr int kStages = 3;   // tiles of weights in flight
constexpr int kAhead = 4;    // 16-byte loads that a thread has under way
constexpr int kPad = 8;      // halves after each row: rows start in different banks
constexpr float kPi = 3.14159265358979f;

__device__ __forceinline__ void copy_16(void* shared, const void* global) {
#if __CUDA_ARCH__ >= 800
  const unsigned target = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n" ::"r"(target), "l"(global));
#else
  *static_cast<uint4*>(shared) = *static_cast<const uint4*>(global);
#endif
}

__device__ __forceinline__ void commit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;\n" ::);
#endif
}

template <int Pending>
__device__ __forceinline__ void wait_for() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;\n" ::"n"(Pending));
#endif
}

__device__ __forceinline__ void load_4(unsigned (&reg)[4], const half* row) {
  const unsigned source = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(reg[0]), "=r"(reg[1]), "=r"(reg[2]), "=r"(reg[3])
               : "r"(source));
}

__device__ __forceinline__ void load_4_transposed(unsigned (&reg)[4], const half* row) {
  const unsigned source = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(reg[0]), "=r"(reg[1]), "=r"(reg[2]), "=r"(reg[3])
               : "r"(source));
}

__device__ __forceinline__ void multiply(float (&sum)[4], const unsigned (&a)[4], unsigned b0,
                                         unsigned b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};\n"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, "
      "{%0,%1,%2,%3};\n"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(b0));
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, "
      "{%0,%1,%2,%3};\n"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[2]), "r"(a[3]), "r"(b1));
#endif
}

// One value before the convolution. `curve` is Snake's alpha, or the slope of the leaky ReLU.
template <int Activation>
__device__ __forceinline__ float activated(float value, float scale, float shift, float curve,
                                           float inverse) {
  if constexpr (Activation == kNone) return value;
  if constexpr (Activation == kLeaky) return value >= 0.f ? value : curve * value;
  const float made = fmaf(value, scale, shift);
  if constexpr (Activation == kStyleLeaky) return made >= 0.f ? made : curve * made;
  // sin^2 has the period pi: brought near zero the fast sine is as good as the slow one.
  const float turn = curve * made;
  const float near = fmaf(-kPi, rintf(turn * (1.f / kPi)), turn);
  const float sine = __sinf(near);
  return fmaf(sine * sine, inverse, made);
}

template <int Activation>
__device__ void read_tables(const StyleConvArgs& p, float* table, int item, int valid) {
  for (int c = threadIdx.x; c < p.channels_in; c += kThreads) {
    float2 style = make_float2(1.f, 0.f);
    if constexpr (Activation == kStyleSnake || Activation == kStyleLeaky) {
      style = style_of(p.moments + int64_t(item) * 2 * p.channels_in,
                       p.factors + int64_t(item) * p.factors_stride, p.channels_in, c, valid);
    }
    table[c] = style.x;
    table[p.channels_in + c] = style.y;
    if constexpr (Activation == kStyleSnake) {
      table[2 * p.channels_in + c] = p.alpha[c];
      table[3 * p.channels_in + c] = 1.f / p.alpha[c];
    }
  }
}

template <int Activation>
__device__ __forceinline__ uint4 activated_8(uint4 packed, const float* table, int channels, int c,
                                             float slope) {
  if constexpr (Activation == kNone) return packed;
  half* values = reinterpret_cast<half*>(&packed);
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const float curve = Activation == kStyleSnake ? table[2 * channels + c + i] : slope;
    const float inverse = Activation == kStyleSnake ? table[3 * channels + c + i] : 0.f;
    values[i] = __float2half_rn(activated<Activation>(
        __half2float(values[i]), table[c + i], table[channels + c + i], curve, inverse));
  }
  return packed;
}

// Activate rows `first` to `first + rows` of the input; what lies outside of the item is zero. The
// first loads are under way while the tables are made.
template <int Activation>
__device__ void read_rows(const StyleConvArgs& p, half* tile, float* table, int item, int64_t first,
                          int rows, int valid) {
  const int pitch = p.channels_in + kPad, eighths = p.channels_in / 8, total = rows * eighths;
  const half* x = p.x + int64_t(item) * p.x_stride;
  for (int base = threadIdx.x; base < total || base < kThreads; base += kThreads * kAhead) {
    uint4 packed[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const int at = base + i * kThreads, row = at / eighths;
      const int64_t t = first + row;
      packed[i] = make_uint4(0, 0, 0, 0);
      if (at < total && t >= 0 && t < valid) {
        packed[i] = *reinterpret_cast<const uint4*>(x + t * p.channels_in + (at - row * eighths) * 8);
      }
    }
    if (base < kThreads) {
      read_tables<Activation>(p, table, item, valid);
      __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const int at = base + i * kThreads, row = at / eighths, c = (at - row * eighths) * 8;
      const int64_t t = first + row;
      if (at >= total) continue;
      if (t >= 0 && t < valid) {
        packed[i] = activated_8<Activation>(packed[i], table, p.channels_in, c, p.slope);
      }
      *reinterpret_cast<uint4*>(tile + row * pitch + c) = packed[i];
    }
  }
}

template <int Columns, int kStep>
__device__ __forceinline__ void fetch_weights(const StyleConvArgs& p, half* ring, int step,
                                              int first_column) {
  constexpr int kPitch = Columns + kPad;
  half* target = ring + (step % kStages) * kStep * kPitch;
  const half* source = p.weight + int64_t(step) * kStep * p.channels_out + first_column;
  for (int at = threadIdx.x; at < kStep * Columns / 8; at += kThreads) {
    const int row = at / (Columns / 8), c = (at % (Columns / 8)) * 8;
    copy_16(target + row * kPitch + c, source + int64_t(row) * p.channels_out + c);
  }
}

// Finish a tile: bias, residuals, factor; store it and add its moments.
template <int Rows, int Columns, int WarpsM, int WarpsN, int TilesM, int TilesN>
__device__ void finish(const StyleConvArgs& p, float (&sum)[TilesM][TilesN][4], float* scratch,
                       int item, int64_t first_row, int first_column, int valid_out) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warp_m = warp / WarpsN, warp_n = warp % WarpsN;
  const int64_t start = int64_t(item) * p.y_stride;
  const half* residual = p.residual ? p.residual + int64_t(item) * p.residual_stride : nullptr;
  const half* second = p.second ? p.second + int64_t(item) * p.second_stride : nullptr;
#pragma unroll
  for (int n = 0; n < TilesN; ++n) {
    const int local = warp_n * TilesN * 8 + n * 8 + (lane % 4) * 2;
    const int column = first_column + local;
    const float bias0 = p.bias ? p.bias[column] : 0.f, bias1 = p.bias ? p.bias[column + 1] : 0.f;
    float total[2] = {0.f, 0.f}, squares[2] = {0.f, 0.f};
#pragma unroll
    for (int m = 0; m < TilesM; ++m) {
#pragma unroll
      for (int part = 0; part < 2; ++part) {
        const int64_t t = first_row + warp_m * TilesM * 16 + m * 16 + part * 8 + lane / 4;
        if (t >= p.rows_out) continue;
        const int64_t at = t * p.channels_out + column;
        float v0 = sum[m][n][2 * part] + bias0, v1 = sum[m][n][2 * part + 1] + bias1;
        if (residual) {
          const float2 add = __half22float2(*reinterpret_cast<const half2*>(residual + at));
          v0 += add.x, v1 += add.y;
        }
        v0 *= p.factor, v1 *= p.factor;
        if (second) {
          const float2 add = __half22float2(*reinterpret_cast<const half2*>(second + at));
          v0 += add.x, v1 += add.y;
        }
        const half2 rounded = __floats2half2_rn(v0, v1);
        if (p.y_wide) {
          *reinterpret_cast<float2*>(p.y_wide + start + at) = make_float2(v0, v1);
        } else {
          *reinterpret_cast<half2*>(p.y + start + at) = rounded;
        }
        if (t < valid_out) {
          const float2 kept = __half22float2(rounded);
          total[0] += kept.x, total[1] += kept.y;
          squares[0] += kept.x * kept.x, squares[1] += kept.y * kept.y;
        }
      }
    }
    if (!p.moments_out) continue;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
#pragma unroll
      for (int apart = 4; apart < 32; apart *= 2) {
        total[i] += __shfl_xor_sync(0xffffffffu, total[i], apart);
        squares[i] += __shfl_xor_sync(0xffffffffu, squares[i], apart);
      }
      if (lane < 4) {
        scratch[(warp_m * 2) * Columns + local + i] = total[i];
        scratch[(warp_m * 2 + 1) * Columns + local + i] = squares[i];
      }
    }
  }
  if (!p.moments_out) return;
  __syncthreads();
  for (int at = threadIdx.x; at < 2 * Columns; at += kThreads) {
    const int which = at / Columns, column = at % Columns;
    float found = 0.f;
    for (int m = 0; m < WarpsM; ++m) found += scratch[(m * 2 + which) * Columns + column];
    add_moment(p.moments_out + (int64_t(item) * 2 + which) * p.channels_out + first_column + column,
               found);
  }
}

template <int Rows, int Columns, int WarpsM, int WarpsN, int kStep, int Activation>
__global__ void __launch_bounds__(kThreads) style_conv1d_kernel(const StyleConvArgs p) {
  constexpr int kTilesM = Rows / WarpsM / 16, kTilesN = Columns / WarpsN / 8;
  constexpr int kPitch = Columns + kPad;
  static_assert(WarpsM * WarpsN * 32 == kThreads && kTilesM >= 1 && kTilesN % 2 == 0);
  extern __shared__ __align__(16) unsigned char memory[];
  half* ring = reinterpret_cast<half*>(memory);
  half* tile = ring + kStages * kStep * kPitch;
  const int halo = (p.taps - 1) * p.dilation;
  float* table = reinterpret_cast<float*>(tile + (Rows + halo) * (p.channels_in + kPad));

  const int item = blockIdx.z, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t first_row = int64_t(blockIdx.x) * Rows;
  const int first_column = blockIdx.y * Columns;
  const int valid = p.lengths ? p.lengths[item] : int(p.rows_in);
  const int valid_out = valid + int(p.rows_out - p.rows_in);
  if (first_row >= valid_out) return;  // nobody reads these rows
  const int steps = p.taps * p.channels_in / kStep;

#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < steps) fetch_weights<Columns, kStep>(p, ring, s, first_column);
    commit();
  }
  read_rows<Activation>(p, tile, table, item, first_row - p.padding, Rows + halo, valid);

  float sum[kTilesM][kTilesN][4] = {};
  const int warp_m = warp / WarpsN, warp_n = warp % WarpsN;
  const int pitch_in = p.channels_in + kPad;
  const half* mine = tile + (warp_m * kTilesM * 16 + lane % 16) * pitch_in + (lane / 16) * 8;
  const int per_tap = p.channels_in / kStep;
  for (int step = 0, tap = 0, block = 0; step < steps; ++step) {
    wait_for<kStages - 2>();
    __syncthreads();
    if (step + kStages - 1 < steps) fetch_weights<Columns, kStep>(p, ring, step + kStages - 1, first_column);
    commit();
    const half* rows = mine + tap * p.dilation * pitch_in + block * kStep;
    const half* columns = ring + (step % kStages) * kStep * kPitch + (lane % 16) * kPitch +
                          warp_n * kTilesN * 8 + (lane / 16) * 8;
#pragma unroll
    for (int k = 0; k < kStep; k += 16) {
      unsigned a[kTilesM][4];
#pragma unroll
      for (int m = 0; m < kTilesM; ++m) load_4(a[m], rows + m * 16 * pitch_in + k);
#pragma unroll
      for (int n = 0; n < kTilesN; n += 2) {
        unsigned b[4];
        load_4_transposed(b, columns + k * kPitch + n * 8);
#pragma unroll
        for (int m = 0; m < kTilesM; ++m) {
          multiply(sum[m][n], a[m], b[0], b[1]);
          multiply(sum[m][n + 1], a[m], b[2], b[3]);
        }
      }
    }
    if (++block == per_tap) block = 0, ++tap;
  }
  wait_for<0>();
  __syncthreads();  // the ring becomes scratch
  finish<Rows, Columns, WarpsM, WarpsN, kTilesM, kTilesN>(
      p, sum, reinterpret_cast<float*>(ring), item, first_row, first_column, valid_out);
}

template <int Rows, int Columns>
size_t shared_bytes(const StyleConvArgs& p, int step) {
  const int64_t halo = int64_t(p.taps - 1) * p.dilation;
  return sizeof(half) * (kStages * step * (Columns + kPad) + (Rows + halo) * (p.channels_in + kPad)) +
         sizeof(float) * 4 * p.channels_in;
}

template <int Rows, int Columns, int WarpsM, int WarpsN, int kStep, int Activation>
void launch(const StyleConvArgs& p, cudaStream_t stream) {
  auto* kernel = style_conv1d_kernel<Rows, Columns, WarpsM, WarpsN, kStep, Activation>;
  const size_t bytes = shared_bytes<Rows, Columns>(p, kStep);
  if (bytes > 48 * 1024) {
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(bytes));
  }
  const dim3 grid(unsigned(divided_up(p.rows_out, Rows)), unsigned(p.channels_out / Columns),
                  unsigned(p.batch));
  kernel<<<grid, kThreads, bytes, stream>>>(p);
  check_launch("style_conv1d");
}

template <int Rows, int Columns, int WarpsM, int WarpsN, int kStep>
void launch_step(const StyleConvArgs& p, int activation, cudaStream_t stream) {
  switch (activation) {
    case kNone: return launch<Rows, Columns, WarpsM, WarpsN, kStep, kNone>(p, stream);
    case kLeaky: return launch<Rows, Columns, WarpsM, WarpsN, kStep, kLeaky>(p, stream);
    case kStyleSnake: return launch<Rows, Columns, WarpsM, WarpsN, kStep, kStyleSnake>(p, stream);
    default: return launch<Rows, Columns, WarpsM, WarpsN, kStep, kStyleLeaky>(p, stream);
  }
}

// Launch with tiles of this size if they fit: long steps wait less often, short ones take less room.
template <int Rows, int Columns, int WarpsM, int WarpsN>
bool launched(const StyleConvArgs& p, int activation, size_t most, cudaStream_t stream) {
  if (p.channels_in % 64 == 0 && shared_bytes<Rows, Columns>(p, 64) <= most) {
    launch_step<Rows, Columns, WarpsM, WarpsN, 64>(p, activation, stream);
    return true;
  }
  if (shared_bytes<Rows, Columns>(p, 32) > most) return false;
  launch_step<Rows, Columns, WarpsM, WarpsN, 32>(p, activation, stream);
  return true;
}

bool launched_some(const StyleConvArgs& p, int activation, size_t most, int processors,
                   cudaStream_t stream) {
  if (p.channels_out % 128) return launched<128, 32, 8, 1>(p, activation, most, stream);
  // As tall a tile as still keeps the multiprocessors busy, two more of whose kernels may run beside
  // this one: taller tiles read fewer weights.
  const int64_t others = p.batch * (p.channels_out / 128);
  const auto enough = [&](int rows) { return divided_up(p.rows_out, rows) * others >= processors / 2; };
  return (enough(128) && launched<128, 128, 2, 4>(p, activation, most, stream)) ||
         (enough(64) && launched<64, 128, 2, 4>(p, activation, most, stream)) ||
         launched<32, 128, 2, 4>(p, activation, most, stream) ||
         launched<16, 128, 1, 8>(p, activation, most, stream);
}

}  // namespace

void run_style_conv1d(const StyleConvArgs& p, int activation, int device, cudaStream_t stream) {
  int most = 0, processors = 0;
  cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
  STD_TORCH_CHECK(launched_some(p, activation, size_t(most), processors, stream), "style_conv1d: ",
                  p.channels_in, " input channels under ", p.taps, " taps do not fit into the ", most,
                  " bytes of shared memory that this device has");
}

}  // namespace autovoice
