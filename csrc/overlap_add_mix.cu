// Pieces of a vocal to the finished sound in one pass: blend windows where they overlap, apply slow
// gains for each channel, add the accompaniment, lay out channels. Every sample is read and written
// once; each gathers the windows that cover it, so nothing is added to memory twice.
#include <cuda_fp16.h>

#include <algorithm>
#include <climits>
#include <type_traits>

#include "common.h"

namespace autovoice {
namespace {

constexpr const char* kOp = "overlap_add_mix";
constexpr int kThreads = 256, kEach = 4, kSpan = kThreads * kEach;

template <typename T>
struct MixArgs {
  const T* windows;       // [batch, count, size]
  const int64_t* places;  // [batch, count, 3]: where its samples begin; from where to where it counts
  const float* fades;     // [batch, count, 2]: half the blend at both ends, samples
  const float* gains;     // [batch, channels, steps]
  const T* backing;       // [batch, channels, length]
  float* y;               // [batch, 2, channels, length], or channels last
  int64_t size, channel_stride, sample_stride;
  int length, count, channels, steps, step, offset;
};

__device__ __forceinline__ float wide(float value) { return value; }
__device__ __forceinline__ float wide(half value) { return __half2float(value); }

// From 0 at -half to 1 at half; a step where that is under a sample.
__device__ __forceinline__ float ramp(float distance, float half_samples) {
  if (half_samples < 0.5f) return distance > 0.f ? 1.f : 0.f;
  return fminf(fmaxf((distance + half_samples) / (2.f * half_samples), 0.f), 1.f);
}

// The windows of an item that reach into samples `begin` to `end`: the first and the last of them.
template <typename T>
__device__ int2 reaching(const MixArgs<T>& p, int64_t first_window, int64_t begin, int64_t end) {
  __shared__ int found[2];
  if (threadIdx.x == 0) found[0] = INT_MAX, found[1] = -1;
  __syncthreads();
  for (int w = threadIdx.x; w < p.count; w += kThreads) {
    const int64_t* place = p.places + (first_window + w) * 3;
    const float* fade = p.fades + (first_window + w) * 2;
    const int64_t low = place[1] - int64_t(fminf(fade[0], 1e9f)) - 1;
    const int64_t high = place[2] + int64_t(fminf(fade[1], 1e9f)) + 1;
    if (max(low, place[0]) < end && min(high, place[0] + p.size) > begin) {
      atomicMin(&found[0], w);
      atomicMax(&found[1], w);
    }
  }
  __syncthreads();
  return make_int2(found[0], found[1]);
}

// The vocal at this thread's samples, `first` and every 256th after it.
template <typename T>
__device__ __forceinline__ void blend(const MixArgs<T>& p, float (&mono)[kEach], int64_t first_window, int2 range,
                                      int64_t first) {
  for (int w = range.x; w <= range.y; ++w) {
    const int64_t* place = p.places + (first_window + w) * 3;
    const float* fade = p.fades + (first_window + w) * 2;
    const int64_t begin = place[0], from = place[1], to = place[2];
    const float rise = fade[0], fall = fade[1];
    const T* window = p.windows + (first_window + w) * p.size;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int64_t t = first + i * kThreads, at = t - begin;
      if (at < 0 || at >= p.size || t >= p.length) continue;
      const float weight = ramp(float(t - from) + 0.5f, rise) * ramp(float(to - t) - 0.5f, fall);
      if (weight > 0.f) mono[i] = fmaf(weight, wide(window[at]), mono[i]);
    }
  }
}

// `Pairs`: two channels side by side, written at once.
template <typename T, bool Pairs>
__global__ void __launch_bounds__(kThreads) mix_windows(const MixArgs<T> p) {
  const int64_t item = blockIdx.y, first_window = item * p.count;
  const int64_t begin = int64_t(blockIdx.x) * kSpan;
  const int64_t end = min(begin + kSpan, int64_t(p.length));
  const int2 range = reaching(p, first_window, begin, end);
  const float* gains = p.gains + item * p.channels * p.steps;
  const T* backing = p.backing + item * p.channels * p.length;
  float* mixed = p.y + item * 2 * p.channels * p.length;
  float* alone = mixed + int64_t(p.channels) * p.length;
  const int64_t first = begin + threadIdx.x;
  float mono[kEach] = {}, part[kEach];
  int low[kEach];
  blend(p, mono, first_window, range, first);
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    // Straight lines between the centres of steps, counted in halves of a sample; flat at both ends.
    const int halves = max(2 * (int(first) + i * kThreads + p.offset) + 1 - p.step, 0);
    low[i] = halves / (2 * p.step);
    part[i] = float(halves - low[i] * 2 * p.step) / float(2 * p.step);
    if (low[i] >= p.steps - 1) low[i] = p.steps - 1, part[i] = 0.f;
  }
  float both[kEach][2], vocal[kEach][2];
  const int channels = Pairs ? 2 : p.channels;
#pragma unroll Pairs ? 2 : 1
  for (int c = 0; c < channels; ++c) {
    const float* line = gains + c * p.steps;
    const int kept = Pairs ? c : 0;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {  // all loads of a channel are under way before its first store
      const int64_t t = first + i * kThreads;
      const float start = line[low[i]], next = line[min(low[i] + 1, p.steps - 1)];
      vocal[i][kept] = mono[i] * fmaf(part[i], next - start, start);
      both[i][kept] = vocal[i][kept] + (t < end ? wide(backing[int64_t(c) * p.length + t]) : 0.f);
    }
    if constexpr (!Pairs) {
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        const int64_t t = first + i * kThreads, to = c * p.channel_stride + t * p.sample_stride;
        if (t < end) mixed[to] = both[i][0], alone[to] = vocal[i][0];
      }
    }
  }
  if constexpr (Pairs) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int64_t t = first + i * kThreads;
      if (t >= end) return;
      reinterpret_cast<float2*>(mixed)[t] = make_float2(both[i][0], both[i][1]);
      reinterpret_cast<float2*>(alone)[t] = make_float2(vocal[i][0], vocal[i][1]);
    }
  }
}

template <typename T>
void run(MixArgs<T> p, const Tensor& windows, const Tensor& backing, int64_t batch, cudaStream_t stream) {
  p.windows = pointer<T>(windows), p.backing = pointer<T>(backing);
  const dim3 grid(unsigned(divided_up(p.length, kSpan)), unsigned(batch));
  if (p.channels == 2 && p.channel_stride == 1) mix_windows<T, true><<<grid, kThreads, 0, stream>>>(p);
  else mix_windows<T, false><<<grid, kThreads, 0, stream>>>(p);
  check_launch(kOp);
}

Tensor overlap_add_mix(const Tensor& windows, const Tensor& places, const Tensor& fades, const Tensor& gains,
                       const Tensor& backing, int64_t step, int64_t offset, bool interleaved) {
  STD_TORCH_CHECK(windows.dim() == 3 && gains.dim() == 3 && backing.dim() == 3, kOp,
                  ": expected windows [B, W, n], gains [B, C, K] and backing [B, C, T]");
  const int64_t batch = backing.size(0), channels = backing.size(1), length = backing.size(2);
  const int64_t count = windows.size(1), size = windows.size(2), steps = gains.size(2);
  const ScalarType type = backing.scalar_type();
  STD_TORCH_CHECK(type == ScalarType::Float || type == ScalarType::Half, kOp, ": backing has dtype ",
                  torch::headeronly::toString(type), ", expected Float or Half");
  STD_TORCH_CHECK(batch <= 65535 && count < (1 << 24) && channels < (1 << 16) && steps >= 1 && step >= 1 &&
                      offset >= 0 && step < (1 << 29) && steps < (1 << 29) && length + offset < (1 << 30),
                  kOp, ": found ", batch, " items of ", length, " samples, ", count, " windows and ", steps,
                  " steps of ", step, " samples from ", offset, " on");
  check_dense(windows, kOp, "windows", type, batch * count * size);
  check_dense(backing, kOp, "backing", type, batch * channels * length);
  check_dense(places, kOp, "places", ScalarType::Long, batch * count * 3);
  check_dense(fades, kOp, "fades", ScalarType::Float, batch * count * 2);
  check_dense(gains, kOp, "gains", ScalarType::Float, batch * channels * steps);
  torch::stable::accelerator::DeviceGuard guard(backing.get_device_index());
  Tensor y = interleaved ? torch::stable::new_empty(backing, {batch, 2, length, channels}, ScalarType::Float)
                         : torch::stable::new_empty(backing, {batch, 2, channels, length}, ScalarType::Float);
  if (batch == 0 || channels == 0 || length == 0) return y;
  const auto with = [&](auto p) {
    p.places = pointer<int64_t>(places), p.fades = pointer<float>(fades);
    p.gains = pointer<float>(gains), p.y = pointer<float>(y);
    p.size = size, p.length = int(length), p.count = int(count), p.channels = int(channels);
    p.steps = int(steps), p.step = int(step), p.offset = int(offset);
    p.channel_stride = interleaved ? 1 : length, p.sample_stride = interleaved ? channels : 1;
    run(p, windows, backing, batch, current_stream(backing));
  };
  MixArgs<float> floats{};
  MixArgs<half> halves{};
  if (type == ScalarType::Float) with(floats);
  else with(halves);
  return y;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(autovoice, CUDA, library) {
  library.impl("overlap_add_mix", TORCH_BOX(&overlap_add_mix));
}

}  // namespace autovoice
