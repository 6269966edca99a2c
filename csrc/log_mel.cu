// Log spectra on a mel or any other scale of bands, from sound in one kernel: frame, window, real
// transform, power or magnitude, bands, logarithm. One block makes one frame of one resolution; what
// is between sound and bands stays in shared memory.
#include <vector>

#include "common.h"

namespace autovoice {
namespace {

constexpr const char* kOp = "log_mel";
constexpr int kThreads = 256, kMostPlans = 4, kMostFft = 4096, kLanes = 8;

struct Plan {
  const float* window;  // [n_fft]
  const float* bank;    // [bands, n_fft / 2 + 1]
  const int* spans;     // [bands, 2]: first and end of what is not 0 in the bank
  int n_fft;
};

struct MelArgs {
  Plan plans[kMostPlans];
  const float* sound;  // [batch, length]
  float* y;            // [batch, plans, bands, frames], or without bands where they are summed
  int64_t length, mirror;
  int frames, hop, bands;
  bool power, norm;
  float added, least, scale, shift;
};

__device__ float2 times(float2 a, float2 b) { return {a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x}; }
__device__ float2 plus(float2 a, float2 b) { return {a.x + b.x, a.y + b.y}; }
__device__ float2 minus(float2 a, float2 b) { return {a.x - b.x, a.y - b.y}; }
// exp(-2 pi i part / whole)
__device__ float2 turn(int part, int whole) {
  float2 made;
  sincospif(-2.f * float(part) / float(whole), &made.y, &made.x);
  return made;
}

__device__ void transform(float2 (&a)[2]) {
  const float2 first = a[0];
  a[0] = plus(first, a[1]), a[1] = minus(first, a[1]);
}

__device__ void transform(float2 (&a)[4]) {
  const float2 s = plus(a[0], a[2]), d = minus(a[0], a[2]), t = plus(a[1], a[3]), e = minus(a[1], a[3]);
  const float2 rotated = {e.y, -e.x};
  a[0] = plus(s, t), a[1] = plus(d, rotated), a[2] = minus(s, t), a[3] = minus(d, rotated);
}

__device__ void transform(float2 (&a)[5]) {
  constexpr float c1 = 0.309016994374947f, c2 = -0.809016994374947f;
  constexpr float s1 = 0.951056516295154f, s2 = 0.587785252292473f;
  const float2 p = plus(a[1], a[4]), q = plus(a[2], a[3]), m = minus(a[1], a[4]), n = minus(a[2], a[3]);
  const float2 u = {a[0].x + c1 * p.x + c2 * q.x, a[0].y + c1 * p.y + c2 * q.y};
  const float2 v = {a[0].x + c2 * p.x + c1 * q.x, a[0].y + c2 * p.y + c1 * q.y};
  // times -i
  const float2 f = {s1 * m.y + s2 * n.y, -(s1 * m.x + s2 * n.x)};
  const float2 g = {s2 * m.y - s1 * n.y, -(s2 * m.x - s1 * n.x)};
  a[0] = plus(a[0], plus(p, q));
  a[1] = plus(u, f), a[2] = plus(v, g), a[3] = minus(v, g), a[4] = minus(u, f);
}

// One pass of a Stockham transform (van Loan 1992): `size` values left, in `stride` interleaved rows.
template <int Radix>
__device__ void pass(const float2* x, float2* y, int size, int stride) {
  const int apart = size / Radix;
  for (int at = threadIdx.x; at < apart * stride; at += kThreads) {
    const int row = at / stride, column = at - row * stride;
    float2 a[Radix];
#pragma unroll
    for (int j = 0; j < Radix; ++j) a[j] = x[column + stride * (row + j * apart)];
    transform(a);
    const float2 step = turn(row, size);
    float2 factor = step;
    y[column + stride * Radix * row] = a[0];
#pragma unroll
    for (int j = 1; j < Radix; ++j) {
      y[column + stride * (Radix * row + j)] = times(a[j], factor);
      factor = times(factor, step);
    }
  }
  __syncthreads();
}

// The sum over a block, for everyone.
__device__ float block_sum(float value) {
  __shared__ float parts[kThreads / 32];
  for (int apart = 16; apart > 0; apart /= 2) value += __shfl_xor_sync(~0u, value, apart);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0.f;
  for (int warp = 0; warp < kThreads / 32; ++warp) sum += parts[warp];
  return sum;
}

// The frame under its window, neighbours as real and imaginary part.
__device__ void read_frame(const MelArgs& p, const Plan& plan, float2* x) {
  const float* sound = p.sound + int64_t(blockIdx.z) * p.length;
  const int64_t begin = int64_t(blockIdx.x) * p.hop - plan.n_fft / 2;
  float* flat = reinterpret_cast<float*>(x);
  for (int n = threadIdx.x; n < plan.n_fft; n += kThreads) {
    const float weight = plan.window[n];
    int64_t t = begin + n;
    if (p.mirror && t < 0) t = -t;
    if (p.mirror && t >= p.mirror) t = 2 * (p.mirror - 1) - t;
    flat[n] = weight != 0.f && t >= 0 && t < p.length ? weight * sound[t] : 0.f;
  }
  __syncthreads();
}

// What is at each frequency of the real frame, from the transform `z` of its halves.
__device__ void write_levels(const MelArgs& p, const float2* z, float* levels, int half) {
  for (int k = threadIdx.x; k <= half; k += kThreads) {
    const float2 here = z[k == half ? 0 : k], there = z[k == 0 ? 0 : half - k];
    const float2 even = {0.5f * (here.x + there.x), 0.5f * (here.y - there.y)};
    const float2 odd = {0.5f * (here.y + there.y), -0.5f * (here.x - there.x)};
    const float2 whole = plus(even, times(turn(k, 2 * half), odd));
    const float power = whole.x * whole.x + whole.y * whole.y;
    levels[k] = p.power ? power : sqrtf(power);
  }
  __syncthreads();
}

__device__ void write_bands(const MelArgs& p, const Plan& plan, const float* levels) {
  const int64_t row = int64_t(blockIdx.z) * gridDim.y + blockIdx.y;
  const int bins = plan.n_fft / 2 + 1, lane = threadIdx.x % kLanes;
  float squares = 0.f;
  for (int base = 0; base < p.bands; base += kThreads / kLanes) {
    const int band = base + int(threadIdx.x) / kLanes;
    float sum = 0.f;
    if (band < p.bands) {
      const int end = plan.spans[2 * band + 1];
      const float* weights = plan.bank + int64_t(band) * bins;
      for (int k = plan.spans[2 * band] + lane; k < end; k += kLanes) sum = fmaf(weights[k], levels[k], sum);
    }
    for (int apart = kLanes / 2; apart > 0; apart /= 2) sum += __shfl_xor_sync(~0u, sum, apart);
    const float value = fmaxf(sum + p.added, p.least);
    if (band >= p.bands || lane) continue;
    if (p.norm) squares = fmaf(value, value, squares);
    else p.y[(row * p.bands + band) * p.frames + blockIdx.x] = fmaf(p.scale, logf(value), p.shift);
  }
  if (!p.norm) return;
  const float total = block_sum(squares);
  if (threadIdx.x == 0) p.y[row * p.frames + blockIdx.x] = fmaf(0.5f * p.scale, logf(total), p.shift);
}

__global__ void __launch_bounds__(kThreads) mel_frames(const MelArgs p) {
  extern __shared__ __align__(16) float2 pool[];
  const Plan plan = p.plans[blockIdx.y];
  const int half = plan.n_fft / 2;
  // One more value than half: the levels take the place of what the last pass has read.
  float2 *x = pool, *y = pool + half + 1;
  read_frame(p, plan, x);
  for (int size = half, stride = 1; size > 1;) {
    const int radix = size % 4 == 0 ? 4 : size % 5 == 0 ? 5 : 2;
    if (radix == 4) pass<4>(x, y, size, stride);
    else if (radix == 5) pass<5>(x, y, size, stride);
    else pass<2>(x, y, size, stride);
    float2* made = y;
    y = x, x = made, size /= radix, stride *= radix;
  }
  write_levels(p, x, reinterpret_cast<float*>(y), half);
  write_bands(p, plan, reinterpret_cast<const float*>(y));
}

bool can_transform(int64_t n_fft) {
  if (n_fft < 4 || n_fft > kMostFft || n_fft % 2) return false;
  int64_t left = n_fft / 2;
  while (left % 2 == 0) left /= 2;
  while (left % 5 == 0) left /= 5;
  return left == 1;
}

int largest_plan(MelArgs& p, const std::vector<Tensor>& windows, const std::vector<Tensor>& banks,
                 const std::vector<Tensor>& spans) {
  int largest = 0;
  for (size_t i = 0; i < windows.size(); ++i) {
    const int64_t n_fft = windows[i].numel();
    STD_TORCH_CHECK(can_transform(n_fft), kOp, ": found a window of ", n_fft,
                    " samples, expected an even number up to 4096 without factors but 2 and 5");
    check_dense(windows[i], kOp, "a window", ScalarType::Float, n_fft);
    check_dense(banks[i], kOp, "a bank", ScalarType::Float, p.bands * (n_fft / 2 + 1));
    check_dense(spans[i], kOp, "spans", ScalarType::Int, 2 * p.bands);
    p.plans[i] = {pointer<float>(windows[i]), pointer<float>(banks[i]), pointer<int>(spans[i]), int(n_fft)};
    largest = int(n_fft) > largest ? int(n_fft) : largest;
  }
  return largest;
}

Tensor log_mel(const Tensor& sound, const std::vector<Tensor>& windows, const std::vector<Tensor>& banks,
               const std::vector<Tensor>& spans, int64_t hop, int64_t frames, int64_t mirror, bool power,
               bool norm, double added, double least, double scale, double shift) {
  const size_t plans = windows.size();
  STD_TORCH_CHECK(sound.dim() == 2, kOp, ": expected sound [batch, length]");
  STD_TORCH_CHECK(plans >= 1 && plans <= kMostPlans && banks.size() == plans && spans.size() == plans, kOp,
                  ": found ", plans, " windows, expected 1 to 4, as many banks and as many spans");
  const int64_t batch = sound.size(0), length = sound.size(1);
  STD_TORCH_CHECK(batch <= 65535 && frames >= 0 && frames < (int64_t(1) << 31) && hop >= 1, kOp, ": found ", batch,
                  " items of ", frames, " frames");
  check_dense(sound, kOp, "sound", ScalarType::Float, batch * length);
  torch::stable::accelerator::DeviceGuard guard(sound.get_device_index());
  MelArgs p{};
  p.bands = int(banks[0].size(0));
  const int largest = largest_plan(p, windows, banks, spans);
  Tensor y = norm ? torch::stable::new_empty(sound, {batch, int64_t(plans), frames}, ScalarType::Float)
                  : torch::stable::new_empty(sound, {batch, int64_t(plans), p.bands, frames}, ScalarType::Float);
  if (batch == 0 || frames == 0) return y;
  p.sound = pointer<float>(sound), p.y = pointer<float>(y);
  p.length = length, p.mirror = mirror, p.frames = int(frames), p.hop = int(hop);
  p.power = power, p.norm = norm;
  p.added = float(added), p.least = float(least), p.scale = float(scale), p.shift = float(shift);
  const dim3 grid{unsigned(frames), unsigned(plans), unsigned(batch)};
  mel_frames<<<grid, kThreads, sizeof(float2) * (largest + 2), current_stream(sound)>>>(p);
  check_launch(kOp);
  return y;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(autovoice, CUDA, library) {
  library.impl("log_mel", TORCH_BOX(&log_mel));
}

}  // namespace autovoice
