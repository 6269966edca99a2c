// What is decided about runs of frames by one block: masks of bits, the loud part of a recording, the
// octaves of a run, and values between frames.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace autovoice {
namespace {

constexpr int kItemThreads = 256, kShifts = 3;
constexpr double kFreeStep = 0.6;

// Bits of a mask of frames; those beyond the end are 0. `flip` all ones: runs of 0 in place of 1.
__device__ int run_first(const uint32_t* mask, int i, uint32_t flip) {
  int word = i / 32;
  uint32_t other = ~(mask[word] ^ flip) & ((2u << (i % 32)) - 1u);
  while (!other) {
    if (word == 0) return 0;
    other = ~(mask[--word] ^ flip);
  }
  return word * 32 + 32 - __clz(int(other));
}

__device__ int run_last(const uint32_t* mask, int i, int frames, uint32_t flip) {
  int word = i / 32;
  uint32_t other = ~(mask[word] ^ flip) & (~0u << (i % 32));
  while (!other) {
    if (++word * 32 >= frames) return frames - 1;
    other = ~(mask[word] ^ flip);
  }
  return min(word * 32 + __ffs(int(other)) - 2, frames - 1);
}

__device__ bool bit(const uint32_t* mask, int i) { return mask[i / 32] >> (i % 32) & 1u; }

// Whether a mask, or with `flip` its opposite, holds anywhere from first to last.
__device__ bool any_between(const uint32_t* mask, int first, int last, uint32_t flip) {
  for (int word = first / 32; word <= last / 32; ++word) {
    uint32_t bits = mask[word] ^ flip;
    if (word == first / 32) bits &= ~0u << (first % 32);
    if (word == last / 32) bits &= (2u << (last % 32)) - 1u;
    if (bits) return true;
  }
  return false;
}

// Write a mask, a warp for each word; `holds` is asked about frames that are there.
template <typename Holds>
__device__ void write_mask(uint32_t* mask, int frames, Holds holds) {
  const int whole = (frames + 31) / 32 * 32;
  for (int i = threadIdx.x; i < whole; i += kItemThreads) {
    const uint32_t bits = __ballot_sync(~0u, i < frames && holds(i));
    if (i % 32 == 0) mask[i / 32] = bits;
  }
  __syncthreads();
}

__device__ float middle_of_5(float a, float b, float c, float d, float e) {
  const float low = fmaxf(fminf(a, b), fminf(c, d)), high = fminf(fmaxf(a, b), fmaxf(c, d));
  return fmaxf(fminf(low, high), fminf(fmaxf(low, high), e));
}

// Whole numbers that are in the order of the floats.
__device__ uint32_t ordered(float value) {
  const uint32_t bits = uint32_t(__float_as_int(value));
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

__device__ float unordered(uint32_t key) {
  return __int_as_float(int(key >> 31 ? key & 0x7fffffffu : ~key));
}

template <typename Holds>
__device__ int block_count(int frames, Holds holds) {
  int count = 0;
  for (int base = 0; base < frames; base += kItemThreads) {
    const int i = base + int(threadIdx.x);
    count += __syncthreads_count(i < frames && holds(i));
  }
  return count;
}

// The level 95 % up, between two values as torch's lerp has it; found bit by bit.
__device__ float loud_db(const float* level_db, int frames) {
  __shared__ uint32_t following;
  const double place = 0.95 * (frames - 1);
  const int low = int(floor(place)), high = int(ceil(place));
  uint32_t found = 0;
  for (int b = 31; b >= 0; --b) {
    const uint32_t trial = found | 1u << b;
    if (block_count(frames, [&](int i) { return ordered(level_db[i]) < trial; }) <= low) found = trial;
  }
  const int under = block_count(frames, [&](int i) { return ordered(level_db[i]) <= found; });
  const float left = unordered(found);
  if (high < under) return left;
  if (threadIdx.x == 0) following = ~0u;
  __syncthreads();
  for (int i = threadIdx.x; i < frames; i += kItemThreads) {
    const uint32_t key = ordered(level_db[i]);
    if (key > found) atomicMin(&following, key);
  }
  __syncthreads();
  const float right = unordered(following), part = float(place - low);
  return part < 0.5f ? left + part * (right - left) : right - (right - left) * (1.f - part);
}

// Undo octaves that return soon in one run: the path of least cost over the shifts 0, 1 and -1.
__device__ void repair_run(const double* octaves, float* f0, uint8_t* back, int first, int last, double stay) {
  const int shifts[kShifts] = {0, 1, -1};
  double costs[kShifts] = {0.0, stay, stay};
  for (int i = first + 1; i <= last; ++i) {
    const double step = octaves[i] - octaves[i - 1];
    double next[kShifts];
    uint8_t from_all = 0;
    for (int to = 0; to < kShifts; ++to) {
      int best = 0;
      for (int from = 0; from < kShifts; ++from) {
        const double jump = fmax(fabs(step + double(shifts[to] - shifts[from])) - kFreeStep, 0.0);
        const double cost = costs[from] + jump / (1.0 - kFreeStep);
        if (from == 0 || cost < next[to]) next[to] = cost, best = from;
      }
      from_all |= uint8_t(best << (2 * to));
      next[to] += shifts[to] ? stay : 0.0;
    }
    back[i] = from_all;
    for (int to = 0; to < kShifts; ++to) costs[to] = next[to];
  }
  int state = 0;
  for (int to = 1; to < kShifts; ++to) state = costs[to] < costs[state] ? to : state;
  for (int i = last; i >= first; --i) {
    f0[i] *= state == 0 ? 1.f : state == 1 ? 2.f : 0.5f;
    if (i > first) state = back[i] >> (2 * state) & 3;
  }
}

// Cubic in the logarithm between the frames of a run, straight on beyond its ends.
__device__ float between_frames(const double* logs, double position, int first, int last) {
  const double place = fmin(fmax(position, double(first)), double(last));
  const int index = min(int(floor(place)), max(last - 1, first));
  const double part = place - index;
  const double here = logs[index], there = logs[min(index + 1, last)];
  const double before = index == first ? 2 * here - there : logs[index - 1];
  const double after = index + 1 >= last ? 2 * there - here : logs[index + 2];
  const double bend = (2 * before - 5 * here + 4 * there - after) + part * (3 * (here - there) + after - before);
  return float(exp(here + 0.5 * part * ((there - before) + part * bend)));
}

}  // namespace
}  // namespace autovoice
