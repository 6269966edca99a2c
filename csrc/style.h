// Adaptive instance normalisation from moments: one factor and one offset per channel.
#pragma once

#include "common.h"

namespace autovoice {

// Moments are integers of this fraction: integers add up to the same in any order.
constexpr double kMomentScale = 16777216.0;
constexpr float kEpsilon = 1e-5f;

// `moments` [2, channels] and `factors` [2 channels] of one item, `count` rows of which counted.
__device__ __forceinline__ float2 style_of(const long long* moments, const float* factors,
                                           int channels, int c, int count) {
  const double share = 1.0 / (kMomentScale * (count > 0 ? count : 1));
  const double mean = double(moments[c]) * share, square = double(moments[channels + c]) * share;
  const float variance = fmaxf(float(square - mean * mean), 0.f);
  const float scale = (1.f + factors[c]) * rsqrtf(variance + kEpsilon);
  return make_float2(scale, factors[channels + c] - float(mean) * scale);
}

__device__ __forceinline__ void add_moment(long long* target, float value) {
  atomicAdd(reinterpret_cast<unsigned long long*>(target),
            static_cast<unsigned long long>(__double2ll_rn(double(value) * kMomentScale)));
}

}  // namespace autovoice
