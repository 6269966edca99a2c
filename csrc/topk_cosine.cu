// The nearest keys of each query by cosine. A block multiplies a tile of queries with one tile of
// keys after another on tensor cores (mma.sync) and keeps the best of each query as it goes: scores
// never leave the multiprocessor. Keys are shared out over blocks, and a second kernel merges what
// these found.
#include <algorithm>
#include <cmath>

#include "tiles.h"

namespace autovoice {
namespace {

using namespace tiles;

constexpr const char* kOp = "topk_cosine";
constexpr int kThreads = 256, kWarps = kThreads / 32, kWarpsM = 2, kWarpsN = 4;
constexpr int kColumns = 128;              // keys in a tile
constexpr int kScorePitch = kColumns + 8;  // floats: four rows of a fragment fill all banks
constexpr int kList = 16;                  // places kept for each query
constexpr float kLeastNorm = 1e-12f;

template <typename T>
struct TopkArgs {
  const T* queries;    // [n, d]
  const T* keys;       // [m, d]
  const float* scale;  // [m]: one over each key's norm
  float* best;         // [n, splits, 16], falling
  int* places;         // the same: which keys
  float* cosine;       // [n, k]
  int64_t* index;      // [n, k]
  int64_t n;
  int m, d, k, tiles, tiles_each, splits;
};

// Take up to 32 scores, one per lane, into the list whose n-th best lies in lane n. What is equal
// comes after what was there; lanes are taken in order.
__device__ __forceinline__ void offer(float& best, int& place, float score, int key, int k) {
  const int lane = threadIdx.x % 32;
  float least = __shfl_sync(~0u, best, k - 1);
  unsigned waiting = __ballot_sync(~0u, score > least);
  while (waiting) {
    const int from = __ffs(waiting) - 1;
    const float value = __shfl_sync(~0u, score, from), above = __shfl_up_sync(~0u, best, 1);
    const int at = __shfl_sync(~0u, key, from), above_place = __shfl_up_sync(~0u, place, 1);
    if (value > best) {  // so do all lanes after this one
      const bool moves = lane > 0 && value > above;
      best = moves ? above : value;
      place = moves ? above_place : at;
    }
    least = __shfl_sync(~0u, best, k - 1);
    waiting &= waiting - 1;
    waiting &= __ballot_sync(~0u, score > least);
  }
}

// One over the norm of a row, for every lane of a warp.
template <typename T>
__device__ float inverse_norm(const T* row, int d) {
  float squares = 0.f;
  for (int i = threadIdx.x % 32; i < d; i += 32) {
    const float value = wide(row[i]);
    squares = fmaf(value, value, squares);
  }
  for (int apart = 16; apart > 0; apart /= 2) squares += __shfl_xor_sync(~0u, squares, apart);
  return 1.f / fmaxf(sqrtf(squares), kLeastNorm);
}

template <typename T>
__global__ void __launch_bounds__(kThreads) key_scales(const T* keys, float* scale, int m, int d) {
  const int row = blockIdx.x * kWarps + int(threadIdx.x) / 32;
  if (row >= m) return;  // all of a warp
  const float found = inverse_norm(keys + int64_t(row) * d, d);
  if (threadIdx.x % 32 == 0) scale[row] = found;
}

// Fetch a step of the tile: rows of queries, then rows of keys; zeros beyond the ends.
template <typename T, int Rows>
__device__ __forceinline__ void fetch(const TopkArgs<T>& p, T* ring, int step, int64_t first_row,
                                      int first_column) {
  T* target = ring + (step % kStages) * (Rows + kColumns) * kPitch;
  for (int at = threadIdx.x; at < (Rows + kColumns) * (kStep / 8); at += kThreads) {
    const int row = at / (kStep / 8), part = (at % (kStep / 8)) * 8, column = step * kStep + part;
    const bool query = row < Rows;
    const int64_t from = query ? first_row + row : int64_t(first_column) + row - Rows;
    const bool there = column < p.d && from < (query ? p.n : int64_t(p.m));
    const T* source = query ? p.queries : p.keys;
    copy_16(target + row * kPitch + part, there ? source + from * p.d + column : source, there);
  }
}

// Products of a tile of queries with a tile of keys. Nobody reads the ring afterwards.
template <typename T, int Rows, int TilesM, int TilesN>
__device__ __forceinline__ void multiply_tile(const TopkArgs<T>& p, T* ring, float (&sum)[TilesM][TilesN][4],
                                              int64_t first_row, int first_column) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warp_m = warp / kWarpsN, warp_n = warp % kWarpsN;
  const int steps = (p.d + kStep - 1) / kStep;
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < steps) fetch<T, Rows>(p, ring, s, first_row, first_column);
    commit();
  }
  // Lanes 0 to 7 say where the rows of the first 8 x 8 values lie, the next eight of the second.
  const int query_at = (warp_m * TilesM * 16 + lane % 16) * kPitch + (lane / 16) * 8;
  const int key_at = (Rows + warp_n * TilesN * 8 + (lane / 16) * 8 + lane % 8) * kPitch + (lane / 8 % 2) * 8;
  for (int step = 0; step < steps; ++step) {
    wait_for<kStages - 2>();
    __syncthreads();
    if (step + kStages - 1 < steps) fetch<T, Rows>(p, ring, step + kStages - 1, first_row, first_column);
    commit();
    const T* tile = ring + (step % kStages) * (Rows + kColumns) * kPitch;
#pragma unroll
    for (int k = 0; k < kStep; k += 16) {
      unsigned a[TilesM][4];
#pragma unroll
      for (int m = 0; m < TilesM; ++m) load_4(a[m], tile + query_at + m * 16 * kPitch + k);
#pragma unroll
      for (int n = 0; n < TilesN; n += 2) {
        unsigned b[4];
        load_4(b, tile + key_at + n * 8 * kPitch + k);
#pragma unroll
        for (int m = 0; m < TilesM; ++m) {
          multiply<T>(sum[m][n], a[m], b[0], b[1]);
          multiply<T>(sum[m][n + 1], a[m], b[2], b[3]);
        }
      }
    }
  }
  wait_for<0>();
  __syncthreads();
}

// Lay the scores into shared memory: products by one over the key's norm, nothing beyond the last key.
template <typename T, int TilesM, int TilesN>
__device__ __forceinline__ void lay_scores(const TopkArgs<T>& p, float* scores,
                                           const float (&sum)[TilesM][TilesN][4], int first_column) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warp_m = warp / kWarpsN, warp_n = warp % kWarpsN;
#pragma unroll
  for (int n = 0; n < TilesN; ++n) {
    const int column = warp_n * TilesN * 8 + n * 8 + (lane % 4) * 2, key = first_column + column;
    const bool there[2] = {key < p.m, key + 1 < p.m};
    const float scale[2] = {there[0] ? p.scale[key] : 0.f, there[1] ? p.scale[key + 1] : 0.f};
#pragma unroll
    for (int m = 0; m < TilesM; ++m) {
#pragma unroll
      for (int part = 0; part < 2; ++part) {
        const int row = warp_m * TilesM * 16 + m * 16 + part * 8 + lane / 4;
        const float first = there[0] ? sum[m][n][2 * part] * scale[0] : -INFINITY;
        const float second = there[1] ? sum[m][n][2 * part + 1] * scale[1] : -INFINITY;
        *reinterpret_cast<float2*>(scores + row * kScorePitch + column) = make_float2(first, second);
      }
    }
  }
}

// A warp looks through its rows of scores. Most tiles have nothing for a list: one look says so.
template <int Rows>
__device__ __forceinline__ void keep_best(const float* scores, float* best, int* places, int first_column,
                                          int k) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll 1
  for (int row = warp * (Rows / kWarps); row < (warp + 1) * (Rows / kWarps); ++row) {
    const float* line = scores + row * kScorePitch + lane;
    const float highest = fmaxf(fmaxf(line[0], line[32]), fmaxf(line[64], line[96]));
    if (!__any_sync(~0u, highest > best[row * kList + k - 1])) continue;
    float value = lane < kList ? best[row * kList + lane] : -INFINITY;
    int place = lane < kList ? places[row * kList + lane] : 0;
#pragma unroll 1
    for (int column = 0; column < kColumns; column += 32) {
      offer(value, place, line[column], first_column + column + lane, k);
    }
    if (lane < kList) best[row * kList + lane] = value, places[row * kList + lane] = place;
    __syncwarp();
  }
}

template <typename T, int Rows>
__global__ void __launch_bounds__(kThreads, 2) score_keys(const TopkArgs<T> p) {
  constexpr int kTilesM = Rows / kWarpsM / 16, kTilesN = kColumns / kWarpsN / 8;
  constexpr int kRing = kStages * (Rows + kColumns) * kPitch;
  static_assert(kRing * sizeof(T) >= Rows * kScorePitch * sizeof(float), "the scores lie in the ring");
  extern __shared__ __align__(16) unsigned char memory[];
  T* ring = reinterpret_cast<T*>(memory);
  float* scores = reinterpret_cast<float*>(memory);
  float* best = reinterpret_cast<float*>(ring + kRing);
  int* places = reinterpret_cast<int*>(best + Rows * kList);
  const int64_t first_row = int64_t(blockIdx.x) * Rows;
  for (int at = threadIdx.x; at < Rows * kList; at += kThreads) best[at] = -INFINITY, places[at] = 0;

  const int first_tile = blockIdx.y * p.tiles_each, end_tile = min(first_tile + p.tiles_each, p.tiles);
  for (int tile = first_tile; tile < end_tile; ++tile) {
    float sum[kTilesM][kTilesN][4] = {};
    multiply_tile<T, Rows>(p, ring, sum, first_row, tile * kColumns);
    lay_scores(p, scores, sum, tile * kColumns);
    __syncthreads();
    keep_best<Rows>(scores, best, places, tile * kColumns, p.k);
    __syncthreads();  // the scores become the ring again
  }
  for (int at = threadIdx.x; at < Rows * kList; at += kThreads) {
    const int64_t row = first_row + at / kList;
    if (row >= p.n) continue;
    const int64_t to = (row * p.splits + blockIdx.y) * kList + at % kList;
    p.best[to] = best[at], p.places[to] = places[at];
  }
}

// A block merges the lists of one query; each warp a stretch of them, the first warp what these leave.
template <typename T>
__global__ void __launch_bounds__(kThreads) merge_lists(const TopkArgs<T> p) {
  constexpr int kAhead = 4;
  __shared__ float left[kWarps * kList];
  __shared__ int left_places[kWarps * kList];
  const int64_t row = blockIdx.x;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, count = p.splits * kList;
  const int each = (count + kThreads - 1) / kThreads * 32;
  const int begin = warp * each, end = min(begin + each, count);
  const float* best = p.best + row * count;
  const int* places = p.places + row * count;
  float value = -INFINITY;
  int place = 0;
  for (int base = begin; base < end; base += 32 * kAhead) {
    float scores[kAhead];
    int keys[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const int at = base + i * 32 + lane;
      scores[i] = at < end ? best[at] : -INFINITY;
      keys[i] = at < end ? places[at] : 0;
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) offer(value, place, scores[i], keys[i], p.k);
  }
  if (lane < kList) left[warp * kList + lane] = value, left_places[warp * kList + lane] = place;
  __syncthreads();
  if (warp) return;
  value = -INFINITY, place = 0;
  for (int at = lane; at < kWarps * kList; at += 32) offer(value, place, left[at], left_places[at], p.k);
  const float scale = inverse_norm(p.queries + row * p.d, p.d);
  if (lane >= p.k) return;
  p.cosine[row * p.k + lane] = value * scale;
  p.index[row * p.k + lane] = place;
}

template <typename T, int Rows>
void launch(TopkArgs<T> p, const Tensor& queries, cudaStream_t stream) {
  const int64_t row_tiles = divided_up(p.n, Rows);
  const int64_t wanted = std::max<int64_t>(2 * processors(queries) / row_tiles, 1);
  p.tiles = int(divided_up(p.m, kColumns));
  p.tiles_each = int(divided_up(p.tiles, std::min<int64_t>(wanted, p.tiles)));
  p.splits = int(divided_up(p.tiles, p.tiles_each));
  const int64_t kept = p.n * p.splits * kList;
  Tensor best = torch::stable::new_empty(queries, {kept}, ScalarType::Float);
  Tensor places = torch::stable::new_empty(queries, {kept}, ScalarType::Int);
  p.best = pointer<float>(best), p.places = pointer<int>(places);
  const size_t bytes = kStages * (Rows + kColumns) * kPitch * sizeof(T) + Rows * kList * 8;
  allow_shared(score_keys<T, Rows>, bytes);
  score_keys<T, Rows><<<dim3(unsigned(row_tiles), unsigned(p.splits)), kThreads, bytes, stream>>>(p);
  check_launch(kOp);
  merge_lists<T><<<unsigned(p.n), kThreads, 0, stream>>>(p);
  check_launch(kOp);
}

template <typename T>
void run(TopkArgs<T> p, const Tensor& queries, const Tensor& keys, const Tensor& scale, bool scaled,
         cudaStream_t stream) {
  p.queries = pointer<T>(queries), p.keys = pointer<T>(keys), p.scale = pointer<float>(scale);
  if (!scaled) {
    key_scales<T><<<unsigned(divided_up(p.m, kWarps)), kThreads, 0, stream>>>(
        p.keys, pointer<float>(scale), p.m, p.d);
    check_launch(kOp);
  }
  // Tall tiles read fewer keys, but leave few blocks where there are few queries.
  if (p.n > 256) launch<T, 128>(p, queries, stream);
  else launch<T, 64>(p, queries, stream);
}

std::tuple<Tensor, Tensor> topk_cosine(const Tensor& queries, const Tensor& keys,
                                       const std::optional<Tensor>& key_scale, int64_t k) {
  check_device(queries, kOp, "queries");
  STD_TORCH_CHECK(queries.dim() == 2 && keys.dim() == 2 && queries.size(1) == keys.size(1), kOp,
                  ": expected queries [N, D] and keys [M, D]");
  const int64_t n = queries.size(0), m = keys.size(0), d = queries.size(1);
  STD_TORCH_CHECK(d >= 8 && d % 8 == 0 && d <= 65536, kOp, ": found ", d,
                  " values a row, expected a multiple of 8 up to 65536");
  STD_TORCH_CHECK(k >= 1 && k <= kList && k <= m, kOp, ": found k = ", k, ", expected 1 to ", kList,
                  " and no more than the ", m, " keys");
  STD_TORCH_CHECK(m <= (int64_t(1) << 30) && n < (int64_t(1) << 31), kOp, ": found ", n, " queries and ", m,
                  " keys, expected fewer than 2^31 and at most 2^30");
  check_rows(queries, kOp, "queries", queries.scalar_type(), n * d);
  check_rows(keys, kOp, "keys", queries.scalar_type(), m * d);
  if (key_scale) check_dense(*key_scale, kOp, "key_scale", ScalarType::Float, m);
  torch::stable::accelerator::DeviceGuard guard(queries.get_device_index());
  Tensor cosine = torch::stable::new_empty(queries, {n, k}, ScalarType::Float);
  Tensor index = torch::stable::new_empty(queries, {n, k}, ScalarType::Long);
  if (n == 0) return {cosine, index};
  const Tensor scale = key_scale ? *key_scale : torch::stable::new_empty(queries, {m}, ScalarType::Float);
  const auto with = [&](auto p) {
    p.cosine = pointer<float>(cosine), p.index = pointer<int64_t>(index);
    p.n = n, p.m = int(m), p.d = int(d), p.k = int(k);
    run(p, queries, keys, scale, key_scale.has_value(), current_stream(queries));
  };
  TopkArgs<half> halves{};
  TopkArgs<__nv_bfloat16> brains{};
  if (queries.scalar_type() == ScalarType::Half) with(halves);
  else with(brains);
  return {cosine, index};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(autovoice, CUDA, library) {
  library.impl("topk_cosine", TORCH_BOX(&topk_cosine));
}

}  // namespace autovoice
