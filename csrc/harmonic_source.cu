// The excitation of the vocoder: harmonics of F0 where voiced, noise where not. The phase is a
// closed form inside a frame on top of a prefix sum over frames in double precision, so that it
// neither drifts nor needs a scan over samples; it goes in and out, so that chunks go on.
#include "common.h"

namespace autovoice {
namespace {

constexpr const char* kOp = "harmonic_source";
constexpr int kThreads = 256;
constexpr int kMostHarmonics = 32;
constexpr float kVoicedHz = 10.f, kAmplitude = 0.1f, kVoicedNoise = 0.003f;

struct SourceArgs {
  const float* f0;            // [batch, frames]
  const float* weight;        // [harmonics]
  const float* bias;          // [1]
  const double* start_phase;  // [batch] cycles
  const float* noise;         // [batch, frames * hop]
  const int64_t* seed;        // [batch, 2]: seed, number of the first sample
  float* filled;              // [batch, frames]: F0 held through gaps
  double* cycles;             // [batch, frames]: phase before the frame
  double* end_phase;          // [batch]
  float* y;                   // [batch, frames * hop]
  int64_t frames;
  int hop, harmonics;
  float rate;
};

// Cycles times rate of the first `count` samples of a frame, between the centres of its neighbours.
__device__ double frame_sum(double before, double here, double after, int count, int hop) {
  const int half = hop / 2, first = count < half ? count : half, rest = count - first;
  const double n = first, m = rest, size = hop;
  const double rising = before * n + (here - before) * (n * n / (2 * size) + 0.5 * n);
  // In the second half the weight starts at half a sample beyond the centre of the frame.
  return rising + here * m + (after - here) * (m * m / (2 * size));
}

__device__ double whole_frame(const float* filled, int64_t k, int64_t frames, int hop) {
  const double here = filled[k];
  const double before = k > 0 ? filled[k - 1] : here, after = k + 1 < frames ? filled[k + 1] : here;
  return frame_sum(before, here, after, hop, hop);
}

// One block per item; each thread has a run of neighbouring frames.
__global__ void source_frames(const SourceArgs p) {
  __shared__ float held[kThreads];
  __shared__ double total[kThreads];
  __shared__ unsigned long long first_voiced;
  const int64_t item = blockIdx.x, thread = threadIdx.x;
  const float* f0 = p.f0 + item * p.frames;
  float* filled = p.filled + item * p.frames;
  const int64_t run = divided_up(p.frames, kThreads);
  const int64_t begin = min(thread * run, p.frames), end = min(begin + run, p.frames);
  if (thread == 0) first_voiced = ~0ull;
  __syncthreads();
  float last = 0.f;
  for (int64_t k = begin; k < end; ++k) {
    if (f0[k] > kVoicedHz) {
      if (last == 0.f) atomicMin(&first_voiced, static_cast<unsigned long long>(k));
      last = f0[k];
    }
  }
  held[thread] = last;
  __syncthreads();
  for (int apart = 1; apart < kThreads; apart *= 2) {
    const float earlier = thread >= apart ? held[thread - apart] : 0.f;
    __syncthreads();
    if (held[thread] == 0.f) held[thread] = earlier;
    __syncthreads();
  }
  float now = thread > 0 ? held[thread - 1] : 0.f;
  if (now == 0.f && first_voiced != ~0ull) now = f0[first_voiced];
  for (int64_t k = begin; k < end; ++k) {
    if (f0[k] > kVoicedHz) now = f0[k];
    filled[k] = now;
  }
  __syncthreads();
  double sum = 0.0;
  for (int64_t k = begin; k < end; ++k) sum += whole_frame(filled, k, p.frames, p.hop);
  total[thread] = sum;
  __syncthreads();
  for (int apart = 1; apart < kThreads; apart *= 2) {
    const double earlier = thread >= apart ? total[thread - apart] : 0.0;
    __syncthreads();
    total[thread] += earlier;
    __syncthreads();
  }
  const double start = p.start_phase ? p.start_phase[item] : 0.0;
  double before = thread > 0 ? total[thread - 1] : 0.0;
  for (int64_t k = begin; k < end; ++k) {
    const double cycles = start + before / p.rate;
    p.cycles[item * p.frames + k] = cycles - floor(cycles);
    before += whole_frame(filled, k, p.frames, p.hop);
  }
  if (thread == kThreads - 1) {
    const double cycles = start + total[thread] / p.rate;
    p.end_phase[item] = cycles - floor(cycles);
  }
}

// Philox4x32-10 (Salmon et al. 2011): the four words of a counter under a key.
__device__ uint4 philox(uint64_t key, uint64_t counter) {
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  uint4 c = make_uint4(uint32_t(counter), uint32_t(counter >> 32), 0u, 0u);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t(0xD2511F53u) * c.x, b = uint64_t(0xCD9E8D57u) * c.z;
    c = make_uint4(uint32_t(b >> 32) ^ c.y ^ k0, uint32_t(b), uint32_t(a >> 32) ^ c.w ^ k1, uint32_t(a));
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  return c;
}

// Standard normal number `index` of a seed (Box and Muller 1958).
__device__ float normal(uint64_t seed, uint64_t index) {
  const uint4 words = philox(seed, index >> 2);
  const bool upper = index & 2;
  const float u = (float(upper ? words.z : words.x) + 0.5f) * 2.3283064365386963e-10f;
  const float v = (float(upper ? words.w : words.y) + 0.5f) * 2.3283064365386963e-10f;
  const float radius = sqrtf(-2.f * logf(fminf(u, 0.99999994f)));
  return radius * (index & 1 ? sinpif(2.f * v) : cospif(2.f * v));
}

__global__ void source_samples(const SourceArgs p) {
  const int64_t item = blockIdx.y, samples = p.frames * p.hop;
  const int64_t at = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (at >= samples) return;
  const int64_t k = at / p.hop;
  const int i = int(at - k * p.hop);
  const float* filled = p.filled + item * p.frames;
  const float here = filled[k];
  const float before = k > 0 ? filled[k - 1] : here;
  const float after = k + 1 < p.frames ? filled[k + 1] : here;
  const float place = (float(i) + 0.5f) / float(p.hop) - 0.5f;
  const float f0 = place < 0.f ? here + (before - here) * -place : here + (after - here) * place;
  const double cycles =
      p.cycles[item * p.frames + k] + frame_sum(before, here, after, i + 1, p.hop) / double(p.rate);
  const float phase = float(cycles - floor(cycles));
  const bool voiced = p.f0[item * p.frames + k] > kVoicedHz;
  float mixed = p.bias[0], shares = 0.f;
  for (int h = 1; h <= p.harmonics; ++h) {
    const float share = p.weight[h - 1], turns = phase * float(h);
    shares += share;
    if (voiced && f0 * float(h) < 0.5f * p.rate) {
      mixed = fmaf(share * kAmplitude, sinpif(2.f * (turns - rintf(turns))), mixed);
    }
  }
  float noise = 0.f;
  if (p.noise) noise = p.noise[item * samples + at];
  if (p.seed) noise = normal(uint64_t(p.seed[2 * item]), uint64_t(p.seed[2 * item + 1] + at));
  mixed = fmaf(shares * (voiced ? kVoicedNoise : kAmplitude / 3.f), noise, mixed);
  p.y[item * samples + at] = tanhf(mixed);
}

std::tuple<Tensor, Tensor> harmonic_source(const Tensor& f0, const Tensor& weight, const Tensor& bias,
                                           const std::optional<Tensor>& start_phase,
                                           const std::optional<Tensor>& noise,
                                           const std::optional<Tensor>& seed, int64_t hop,
                                           int64_t sample_rate_hz) {
  STD_TORCH_CHECK(f0.dim() == 2, kOp, ": f0_hz must be [batch, frames]");
  STD_TORCH_CHECK(hop >= 2 && hop % 2 == 0 && sample_rate_hz > 0, kOp, ": found a hop of ", hop,
                  ", expected an even one");
  const int64_t batch = f0.size(0), frames = f0.size(1), samples = frames * hop;
  check_dense(f0, kOp, "f0_hz", ScalarType::Float, batch * frames);
  STD_TORCH_CHECK(weight.numel() <= kMostHarmonics && batch <= 65535, kOp, ": at most ",
                  kMostHarmonics, " harmonics and 65535 items");
  check_dense(weight, kOp, "weight", ScalarType::Float, weight.numel());
  check_dense(bias, kOp, "bias", ScalarType::Float, 1);
  torch::stable::accelerator::DeviceGuard guard(f0.get_device_index());
  Tensor y = torch::stable::new_empty(f0, {batch, samples}, ScalarType::Float);
  Tensor end_phase = torch::stable::new_empty(f0, {batch}, ScalarType::Double);
  if (batch == 0) return {y, end_phase};
  Tensor filled = torch::stable::new_empty(f0, {batch, frames}, ScalarType::Float);
  Tensor cycles = torch::stable::new_empty(f0, {batch, frames}, ScalarType::Double);
  SourceArgs p{};
  p.f0 = pointer<float>(f0), p.weight = pointer<float>(weight), p.bias = pointer<float>(bias);
  if (start_phase) {
    check_dense(*start_phase, kOp, "start_phase", ScalarType::Double, batch);
    p.start_phase = pointer<double>(*start_phase);
  }
  if (noise) {
    check_dense(*noise, kOp, "noise", ScalarType::Float, batch * samples);
    p.noise = pointer<float>(*noise);
  }
  if (seed) {
    check_dense(*seed, kOp, "seed", ScalarType::Long, batch * 2);
    p.seed = pointer<int64_t>(*seed);
  }
  p.filled = pointer<float>(filled), p.cycles = pointer<double>(cycles);
  p.end_phase = pointer<double>(end_phase), p.y = pointer<float>(y);
  p.frames = frames, p.hop = int(hop), p.harmonics = int(weight.numel()), p.rate = float(sample_rate_hz);
  const cudaStream_t stream = current_stream(f0);
  source_frames<<<unsigned(batch), kThreads, 0, stream>>>(p);
  check_launch(kOp);
  if (samples == 0) return {y, end_phase};
  const dim3 grid(unsigned(divided_up(samples, kThreads)), unsigned(batch));
  source_samples<<<grid, kThreads, 0, stream>>>(p);
  check_launch(kOp);
  return {y, end_phase};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(autovoice, CUDA, library) {
  library.impl("harmonic_source", TORCH_BOX(&harmonic_source));
}

}  // namespace autovoice
