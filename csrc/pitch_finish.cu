// From a network's raw pitch to pitch curves: level and octave evidence of each coarse frame, then
// one block per item for all that depends on runs of frames, then a sharper value for each fine
// frame. Three kernels in place of some 330 small ones.
#include "common.h"
#include "pitch_runs.h"

namespace autovoice {
namespace {

constexpr const char* kOp = "pitch_finish";
constexpr int kFrameThreads = 128;
constexpr int kFineHop = 128, kHalf = 512, kVote = 5;
constexpr float kRate = 16000.f, kPeriods = 4.f, kShortestS = 0.016f, kLongestS = 0.064f;
constexpr double kExcursionS = 0.12;
constexpr int kSharedBytes = 48 * 1024;

struct PitchArgs {
  const float* samples;     // [batch, length]
  const float* f0;          // [batch, frames]
  const float* confidence;  // [batch, frames]
  float* level_db;          // [batch, frames]
  float* evidence;          // [batch, frames]
  float* guess;             // [batch, fine], 0 where unvoiced
  float* sharp;             // [batch, fine]
  float* sure;              // [batch, fine]
  char* scratch;            // where an item's work does not fit into shared memory
  int64_t length, item_bytes;
  int frames, fine, hop, most_gap, least_run;
  float start, hold, gate_db, range_db;
};

// Add up `Count` values of every thread; all of them are in `total` for everyone afterwards.
template <int Count>
__device__ void block_sums(float (&values)[Count], float* total) {
  __shared__ float parts[kFrameThreads / 32][Count];
#pragma unroll
  for (int i = 0; i < Count; ++i) {
    for (int apart = 16; apart > 0; apart /= 2) values[i] += __shfl_xor_sync(~0u, values[i], apart);
  }
  if (threadIdx.x % 32 == 0) {
#pragma unroll
    for (int i = 0; i < Count; ++i) parts[threadIdx.x / 32][i] = values[i];
  }
  __syncthreads();
  if (threadIdx.x < Count) {
    float sum = 0.f;
    for (int warp = 0; warp < kFrameThreads / 32; ++warp) sum += parts[warp][threadIdx.x];
    total[threadIdx.x] = sum;
  }
  __syncthreads();
}

__device__ float window_s(float periods, float f0) {
  return fminf(fmaxf(periods / f0, kShortestS), kLongestS);
}

// Level of two hops around a frame, and what partials 1 to 8 of half its pitch say of its octave.
__global__ void __launch_bounds__(kFrameThreads) coarse_frames(const PitchArgs p) {
  constexpr int kPartials = 8;
  __shared__ float total[2 * kPartials + 1];
  const int64_t at = int64_t(blockIdx.y) * p.frames + blockIdx.x;
  const int64_t centre = int64_t(blockIdx.x) * p.hop;
  const float* samples = p.samples + int64_t(blockIdx.y) * p.length;
  float sums[2 * kPartials + 1] = {};
  for (int n = int(threadIdx.x) - p.hop; n < p.hop; n += kFrameThreads) {
    const int64_t t = centre + n;
    const float x = t >= 0 && t < p.length ? samples[t] : 0.f;
    sums[2 * kPartials] = fmaf(x, x, sums[2 * kPartials]);
  }
  const float f0 = p.f0[at], length_s = window_s(2 * kPeriods, f0);
  for (int n = int(threadIdx.x) - kHalf; n <= kHalf; n += kFrameThreads) {
    const int64_t t = centre + n;
    const float turn = float(n) / kRate / length_s;
    if (fabsf(turn) >= 0.5f || t < 0 || t >= p.length) continue;
    const float x = samples[t] * (0.5f + 0.5f * cospif(2.f * turn));
    float sine, cosine;
    sincospif(f0 * (float(n) / kRate), &sine, &cosine);
    float re = cosine, im = sine;
#pragma unroll
    for (int k = 0; k < kPartials; ++k) {
      sums[2 * k] = fmaf(x, re, sums[2 * k]);
      sums[2 * k + 1] = fmaf(x, im, sums[2 * k + 1]);
      const float next = re * cosine - im * sine;
      im = re * sine + im * cosine, re = next;
    }
  }
  block_sums(sums, total);
  if (threadIdx.x) return;
  p.level_db[at] = 10.f * log10f(fmaxf(total[2 * kPartials] / float(2 * p.hop), 1e-12f));
  float heard[kPartials];
#pragma unroll
  for (int k = 0; k < kPartials; ++k) {
    const float level = sqrtf(total[2 * k] * total[2 * k] + total[2 * k + 1] * total[2 * k + 1]);
    heard[k] = float(k + 1) * f0 / 2 < 7200.f ? level : 0.f;
  }
  const float between = heard[0] + heard[2] + heard[4];
  const float odd = heard[1] + heard[5], even = heard[3] + heard[7];
  const bool too_high = between > 0.6f * (odd + even) && f0 > 130.f;
  const bool too_low = odd < 0.03f * even && f0 < 550.f;
  p.evidence[at] = float(too_low) - float(too_high);
}

int64_t item_bytes(int64_t frames) {
  const int64_t words = (frames + 31) / 32;
  return (frames * (8 + 4 + 4 + 1) + 5 * 4 * words + 15) / 16 * 16;
}

// What a block keeps of its item: in shared memory where it fits.
struct Item {
  double* octaves;
  float *coarse, *cleaned;
  uint32_t *audible, *held, *sure, *voiced, *leaps;
  uint8_t* back;
  const float *f0, *confidence, *level_db, *evidence;
  int frames;

  __device__ Item(const PitchArgs& p, char* work) : frames(p.frames) {
    const int words = (frames + 31) / 32;
    const int64_t at = int64_t(blockIdx.x) * frames;
    octaves = reinterpret_cast<double*>(work);
    coarse = reinterpret_cast<float*>(octaves + frames), cleaned = coarse + frames;
    audible = reinterpret_cast<uint32_t*>(cleaned + frames);
    held = audible + words, sure = held + words, voiced = sure + words, leaps = voiced + words;
    back = reinterpret_cast<uint8_t*>(leaps + words);
    f0 = p.f0 + at, confidence = p.confidence + at, level_db = p.level_db + at, evidence = p.evidence + at;
  }
  __device__ int first(int i) const { return run_first(voiced, i, 0u); }
  __device__ int last(int i) const { return run_last(voiced, i, frames, 0u); }
};

// Loud enough and sure enough, whole runs; short gaps filled, short runs dropped.
__device__ void decide_voicing(const PitchArgs& p, const Item& s) {
  const float threshold = fmaxf(loud_db(s.level_db, s.frames) - p.range_db, p.gate_db);
  write_mask(s.audible, s.frames, [&](int i) { return s.level_db[i] > threshold; });
  write_mask(s.held, s.frames, [&](int i) { return bit(s.audible, i) && s.confidence[i] >= p.hold; });
  write_mask(s.sure, s.frames, [&](int i) { return bit(s.held, i) && s.confidence[i] >= p.start; });
  write_mask(s.voiced, s.frames, [&](int i) {
    if (!bit(s.held, i)) return false;
    return any_between(s.sure, run_first(s.held, i, 0u), run_last(s.held, i, s.frames, 0u), 0u);
  });
  write_mask(s.held, s.frames, [&](int i) {
    if (bit(s.voiced, i)) return true;
    const int first = run_first(s.voiced, i, ~0u), last = run_last(s.voiced, i, s.frames, ~0u);
    const bool inside = first > 0 && last < s.frames - 1;
    return inside && last - first < p.most_gap && !any_between(s.audible, first, last, ~0u);
  });
  write_mask(s.voiced, s.frames, [&](int i) {
    if (!bit(s.held, i)) return false;
    return run_last(s.held, i, s.frames, 0u) - run_first(s.held, i, 0u) + 1 >= p.least_run;
  });
}

// Go by what most of the partials around say of the octave.
__device__ void follow_evidence(const Item& s) {
  for (int i = threadIdx.x; i < s.frames; i += kItemThreads) {
    int up = 0, down = 0;
    if (bit(s.voiced, i)) {
      const int first = s.first(i), last = s.last(i);
      for (int near = i - kVote / 2; near <= i + kVote / 2; ++near) {
        const float wish = s.evidence[min(max(near, first), last)];
        up += wish > 0.f, down += wish < 0.f;
      }
    }
    s.coarse[i] = s.f0[i] * (up > kVote / 2 ? 2.f : down > kVote / 2 ? 0.5f : 1.f);
  }
  __syncthreads();
}

// The median of five, mirrored at the ends of the run, where a frame stands out.
__device__ float without_spike(const Item& s, int i) {
  const int first = s.first(i), last = s.last(i), turn = max(2 * (last - first), 1);
  float near[kVote];
#pragma unroll
  for (int k = 0; k < kVote; ++k) {
    int away = (i + k - kVote / 2 - first) % turn;
    if (away < 0) away += turn;
    near[k] = s.coarse[min(first + min(away, turn - away), last)];
  }
  const float middle = middle_of_5(near[0], near[1], near[2], near[3], near[4]);
  return fabsf(log2f(s.coarse[i] / middle)) > float(kFreeStep) ? middle : s.coarse[i];
}

__device__ void repair_octaves(const PitchArgs& p, const Item& s) {
  for (int i = threadIdx.x; i < s.frames; i += kItemThreads) {
    s.cleaned[i] = bit(s.voiced, i) ? without_spike(s, i) : s.coarse[i];
    s.octaves[i] = log2(double(fmaxf(s.cleaned[i], 1.f)));
  }
  __syncthreads();
  write_mask(s.leaps, s.frames, [&](int i) {
    const bool joined = i > 0 && bit(s.voiced, i) && bit(s.voiced, i - 1);
    return joined && fabs(s.octaves[i] - s.octaves[i - 1]) > kFreeStep;
  });
  const double stay = 2.0 * (p.hop / double(kRate)) / kExcursionS;
  for (int i = threadIdx.x; i < s.frames; i += kItemThreads) {
    if (!bit(s.voiced, i) || (i > 0 && bit(s.voiced, i - 1))) continue;
    const int last = s.last(i);
    // Without a leap the path of no shift costs nothing.
    if (any_between(s.leaps, i, last, 0u)) repair_run(s.octaves, s.cleaned, s.back, i, last, stay);
  }
  __syncthreads();
}

__device__ void finer_grid(const PitchArgs& p, const Item& s) {
  const int64_t row = int64_t(blockIdx.x) * p.fine;
  for (int i = threadIdx.x; i < s.frames; i += kItemThreads) s.octaves[i] = log(double(s.cleaned[i]));
  __syncthreads();
  for (int j = threadIdx.x; j < p.fine; j += kItemThreads) {
    const double position = double(j) * (kFineHop / double(kRate)) / (p.hop / double(kRate));
    const int nearest = int(floor(position + 0.5)), i = min(nearest, s.frames - 1);
    const bool sung = nearest < s.frames && bit(s.voiced, i);
    p.guess[row + j] = sung ? between_frames(s.octaves, position, s.first(i), s.last(i)) : 0.f;
    const double place = fmin(position, double(s.frames - 1));
    const int low = min(int(floor(place)), max(s.frames - 2, 0));
    const float left = s.confidence[low], right = s.confidence[min(low + 1, s.frames - 1)];
    p.sure[row + j] = left + (right - left) * float(place - low);
  }
}

// One block per item.
__global__ void __launch_bounds__(kItemThreads) whole_items(const PitchArgs p) {
  extern __shared__ __align__(16) char pool[];
  const Item item(p, p.scratch ? p.scratch + int64_t(blockIdx.x) * p.item_bytes : pool);
  decide_voicing(p, item);
  follow_evidence(item);
  repair_octaves(p, item);
  finer_grid(p, item);
}

// Sharpen F0 by the phase of its first six harmonics under a window and under the window's slope.
__global__ void __launch_bounds__(kFrameThreads) fine_frames(const PitchArgs p) {
  constexpr int kHarmonics = 6;
  constexpr float kPi = 3.14159265358979f;
  __shared__ float total[4 * kHarmonics];
  const int64_t at = int64_t(blockIdx.y) * p.fine + blockIdx.x;
  const int64_t centre = int64_t(blockIdx.x) * kFineHop;
  const float* samples = p.samples + int64_t(blockIdx.y) * p.length;
  const float f0 = p.guess[at];
  if (f0 == 0.f) {
    if (threadIdx.x == 0) p.sharp[at] = 0.f;
    return;
  }
  float sums[4 * kHarmonics] = {};
  const float length_s = window_s(kPeriods, f0);
  for (int n = int(threadIdx.x) - kHalf; n <= kHalf; n += kFrameThreads) {
    const int64_t t = centre + n;
    const float turn = float(n) / kRate / length_s;
    if (fabsf(turn) >= 0.5f || t < 0 || t >= p.length) continue;
    float sine, cosine;
    sincospif(2.f * turn, &sine, &cosine);
    const float plain = samples[t] * (0.5f + 0.5f * cosine);
    const float slope = samples[t] * (-kPi / length_s) * sine;
    sincospif(2.f * f0 * (float(n) / kRate), &sine, &cosine);
    float re = cosine, im = -sine;
#pragma unroll
    for (int k = 0; k < kHarmonics; ++k) {
      sums[4 * k] = fmaf(plain, re, sums[4 * k]);
      sums[4 * k + 1] = fmaf(plain, im, sums[4 * k + 1]);
      sums[4 * k + 2] = fmaf(slope, re, sums[4 * k + 2]);
      sums[4 * k + 3] = fmaf(slope, im, sums[4 * k + 3]);
      const float next = re * cosine + im * sine;
      im = im * cosine - re * sine, re = next;
    }
  }
  block_sums(sums, total);
  if (threadIdx.x) return;
  float weighted = 0.f, weights = 0.f;
#pragma unroll
  for (int k = 0; k < kHarmonics; ++k) {
    const float number = float(k + 1), re = total[4 * k], im = total[4 * k + 1];
    const float power = fmaxf(re * re + im * im, 1e-20f);
    const float drift = (total[4 * k + 3] * re - total[4 * k + 2] * im) / power;
    const float estimate = f0 - drift / (2.f * kPi * number);
    const bool counts = fabsf(estimate / f0 - 1.f) < 0.03f && number * f0 < 0.45f * kRate;
    const float weight = counts ? number * sqrtf(power) : 0.f;
    weighted = fmaf(weight, estimate, weighted), weights += weight;
  }
  p.sharp[at] = weights > 0.f ? weighted / fmaxf(weights, 1e-20f) : f0;
}

std::tuple<Tensor, Tensor> pitch_finish(const Tensor& samples, const Tensor& f0, const Tensor& confidence,
                                        int64_t hop, int64_t most_gap, int64_t least_run, double start,
                                        double hold, double gate_db, double range_db) {
  STD_TORCH_CHECK(samples.dim() == 2 && f0.dim() == 2, kOp, ": expected samples [batch, length] and f0_hz [batch, frames]");
  const int64_t batch = f0.size(0), frames = f0.size(1), length = samples.size(1);
  STD_TORCH_CHECK(hop >= 1 && frames >= 1 && batch <= 65535 && frames < (1 << 24) && length < (int64_t(1) << 31),
                  kOp, ": found ", batch, " items of ", frames, " frames and ", length, " samples, a hop of ", hop);
  check_dense(samples, kOp, "samples", ScalarType::Float, batch * length);
  check_dense(f0, kOp, "f0_hz", ScalarType::Float, batch * frames);
  check_dense(confidence, kOp, "confidence", ScalarType::Float, batch * frames);
  torch::stable::accelerator::DeviceGuard guard(f0.get_device_index());
  const int64_t fine = length / kFineHop + 1;
  Tensor sharp = torch::stable::new_empty(f0, {batch, fine}, ScalarType::Float);
  Tensor sure = torch::stable::new_empty(f0, {batch, fine}, ScalarType::Float);
  if (batch == 0) return {sharp, sure};
  Tensor between = torch::stable::new_empty(f0, {batch, 2 * frames + fine}, ScalarType::Float);
  PitchArgs p{};
  p.samples = pointer<float>(samples), p.f0 = pointer<float>(f0), p.confidence = pointer<float>(confidence);
  p.level_db = pointer<float>(between), p.evidence = p.level_db + batch * frames;
  p.guess = p.evidence + batch * frames, p.sharp = pointer<float>(sharp), p.sure = pointer<float>(sure);
  p.length = length, p.frames = int(frames), p.fine = int(fine), p.hop = int(hop);
  p.most_gap = int(most_gap), p.least_run = int(least_run);
  p.start = float(start), p.hold = float(hold), p.gate_db = float(gate_db), p.range_db = float(range_db);
  p.item_bytes = item_bytes(frames);
  // Some static shared memory is taken beside the pool.
  const bool fits = p.item_bytes <= kSharedBytes - 256;
  Tensor scratch = torch::stable::new_empty(f0, {fits ? 0 : batch * p.item_bytes}, ScalarType::Byte);
  p.scratch = fits ? nullptr : pointer<char>(scratch);
  const cudaStream_t stream = current_stream(f0);
  coarse_frames<<<dim3(unsigned(frames), unsigned(batch)), kFrameThreads, 0, stream>>>(p);
  check_launch(kOp);
  whole_items<<<unsigned(batch), kItemThreads, fits ? size_t(p.item_bytes) : 0, stream>>>(p);
  check_launch(kOp);
  fine_frames<<<dim3(unsigned(fine), unsigned(batch)), kFrameThreads, 0, stream>>>(p);
  check_launch(kOp);
  return {sharp, sure};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(autovoice, CUDA, library) {
  library.impl("pitch_finish", TORCH_BOX(&pitch_finish));
}

}  // namespace autovoice
