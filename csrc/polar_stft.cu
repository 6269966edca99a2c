// The short transforms around the generator: sound to magnitude and angle of 20-sample frames, and
// log magnitude and phase back to sound. A matrix product of 22 by 20 beats a planned FFT here.
#include <cuda_fp16.h>

#include "common.h"

namespace autovoice {
namespace {

constexpr int kFft = 20, kHop = 5, kBins = kFft / 2 + 1, kWide = 32;
constexpr int kThreads = 256;

__device__ float hann(int n) { return 0.5f - 0.5f * cospif(2.f * float(n) / kFft); }

constexpr int kFramesForward = 128;
constexpr int kSpan = (kFramesForward - 1) * kHop + kFft;

// A thread makes one frame: its samples lie in registers, the bases in shared memory.
__global__ void __launch_bounds__(kFramesForward)
    forward_kernel(const float* sound, half* y, const int* lengths, int64_t samples, int64_t frames) {
  __shared__ float bases[2][kBins][kFft];
  __shared__ float span[kSpan];
  const int64_t item = blockIdx.y, first = int64_t(blockIdx.x) * kFramesForward;
  const int64_t valid = lengths ? lengths[item] : samples;
  for (int at = threadIdx.x; at < kBins * kFft; at += kFramesForward) {
    const int bin = at / kFft, n = at % kFft;
    const float turn = 2.f * float(bin * n % kFft) / kFft;
    bases[0][bin][n] = hann(n) * cospif(turn);
    bases[1][bin][n] = -hann(n) * sinpif(turn);
  }
  for (int at = threadIdx.x; at < kSpan; at += kFramesForward) {
    int64_t t = first * kHop - kFft / 2 + at;
    if (t < 0) t = -t;  // mirrored at both ends, as torch.stft does
    if (t >= valid) t = 2 * (valid - 1) - t;
    span[at] = t >= 0 && t < samples ? sound[item * samples + t] : 0.f;
  }
  __syncthreads();
  const int64_t frame = first + threadIdx.x;
  if (frame >= frames) return;
  __align__(16) half row[kWide];
#pragma unroll
  for (int i = 0; i < kWide; ++i) row[i] = __float2half_rn(0.f);
  if (frame * kHop <= valid) {
    float values[kFft];
#pragma unroll
    for (int n = 0; n < kFft; ++n) values[n] = span[threadIdx.x * kHop + n];
#pragma unroll
    for (int bin = 0; bin < kBins; ++bin) {
      float real = 0.f, imaginary = 0.f;
#pragma unroll
      for (int n = 0; n < kFft; ++n) {
        real = fmaf(values[n], bases[0][bin][n], real);
        imaginary = fmaf(values[n], bases[1][bin][n], imaginary);
      }
      row[bin] = __float2half_rn(hypotf(real, imaginary));
      row[kBins + bin] = __float2half_rn(atan2f(imaginary, real));
    }
  }
  uint4* target = reinterpret_cast<uint4*>(y + (item * frames + frame) * kWide);
#pragma unroll
  for (int i = 0; i < kWide / 8; ++i) target[i] = reinterpret_cast<const uint4*>(row)[i];
}

constexpr int kFramesBack = 48, kReach = kFft / kHop - 1;

__global__ void inverse_kernel(const float* x, float* sound, const int* lengths, int64_t frames,
                               int64_t samples) {
  __shared__ float table[2 * kBins * kFft];
  __shared__ float parts[kFramesBack + kReach][2 * kBins];
  for (int at = threadIdx.x; at < kBins * kFft; at += kThreads) {
    const int bin = at / kFft, n = at % kFft;
    const float turn = 2.f * float(bin * n % kFft) / kFft;
    const float share = (bin == 0 || bin == kBins - 1 ? 1.f : 2.f) / kFft;
    table[at] = share * hann(n) * cospif(turn);
    table[kBins * kFft + at] = -share * hann(n) * sinpif(turn);
  }
  const int64_t item = blockIdx.y;
  const int64_t valid = lengths ? lengths[item] : frames;
  // Padded sound of `block * 48` hops on is made of three frames before and these.
  const int64_t first = int64_t(blockIdx.x) * kFramesBack + 2 - kReach;
  for (int at = threadIdx.x; at < (kFramesBack + kReach) * kBins; at += kThreads) {
    const int frame = at / kBins, bin = at % kBins;
    const int64_t k = first + frame;
    float real = 0.f, imaginary = 0.f;
    if (k >= 0 && k < valid) {
      const float* row = x + (item * frames + k) * kWide;
      const float magnitude = expf(fminf(row[bin], 10.f)), phase = sinf(row[kBins + bin]);
      real = magnitude * cosf(phase);
      imaginary = magnitude * sinf(phase);
    }
    parts[frame][bin] = real;
    parts[frame][kBins + bin] = imaginary;
  }
  __syncthreads();
  if (threadIdx.x >= kFramesBack * kHop) return;
  const int hop = threadIdx.x / kHop, rest = threadIdx.x % kHop;
  const int64_t at = int64_t(blockIdx.x) * kFramesBack * kHop + threadIdx.x;
  if (at >= samples) return;
  float value = 0.f, weight = 0.f;
  for (int back = 0; back <= kReach; ++back) {  // frame k - back covers this sample
    const int64_t k = int64_t(blockIdx.x) * kFramesBack + 2 + hop - back;
    if (k < 0 || k >= valid) continue;
    const int n = rest + back * kHop;
    const float* part = parts[hop + kReach - back];
    for (int bin = 0; bin < kBins; ++bin) {
      value = fmaf(part[bin], table[bin * kFft + n], value);
      value = fmaf(part[kBins + bin], table[(kBins + bin) * kFft + n], value);
    }
    weight += hann(n) * hann(n);
  }
  const bool inside = at < (valid - 1) * kHop;
  sound[item * samples + at] = inside && weight > 0.f ? value / weight : 0.f;
}

Tensor polar_stft(const Tensor& sound, const std::optional<Tensor>& lengths) {
  check_cuda(sound, "polar_stft", "sound", ScalarType::Float);
  STD_TORCH_CHECK(sound.dim() == 2 && sound.is_contiguous() && sound.size(1) > kFft / 2, "polar_stft",
                  ": sound must be contiguous [batch, samples], samples over 10");
  const int64_t batch = sound.size(0), samples = sound.size(1), frames = samples / kHop + 1;
  torch::stable::accelerator::DeviceGuard guard(sound.get_device_index());
  Tensor y = torch::stable::new_empty(sound, {batch, frames, kWide}, ScalarType::Half);
  if (batch == 0) return y;
  const dim3 grid(unsigned(divided_up(frames, kFramesForward)), unsigned(batch));
  forward_kernel<<<grid, kFramesForward, 0, current_stream(sound)>>>(
      pointer<float>(sound), pointer<half>(y), item_lengths(lengths, "polar_stft", batch), samples, frames);
  check_launch("polar_stft");
  return y;
}

Tensor polar_istft(const Tensor& x, const std::optional<Tensor>& lengths) {
  check_cuda(x, "polar_istft", "x", ScalarType::Float);
  STD_TORCH_CHECK(x.dim() == 3 && x.is_contiguous() && x.size(2) == kWide && x.size(1) >= 2,
                  "polar_istft", ": x must be contiguous [batch, frames, 32], frames over 1");
  const int64_t batch = x.size(0), frames = x.size(1), samples = (frames - 1) * kHop;
  torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  Tensor sound = torch::stable::new_empty(x, {batch, samples}, ScalarType::Float);
  if (batch == 0) return sound;
  const dim3 grid(unsigned(divided_up(samples, kFramesBack * kHop)), unsigned(batch));
  inverse_kernel<<<grid, kThreads, 0, current_stream(x)>>>(
      pointer<float>(x), pointer<float>(sound), item_lengths(lengths, "polar_istft", batch), frames, samples);
  check_launch("polar_istft");
  return sound;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(autovoice, CUDA, library) {
  library.impl("polar_stft", TORCH_BOX(&polar_stft));
  library.impl("polar_istft", TORCH_BOX(&polar_istft));
}

}  // namespace autovoice
