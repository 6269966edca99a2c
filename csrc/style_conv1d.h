// Arguments of the styled convolution; see style_conv1d.cu and autovoice/kernels/style_conv1d.py.
#pragma once

#include <cuda_fp16.h>

#include "common.h"
#include "style.h"

namespace autovoice {

// The same numbers as in autovoice/kernels/style_conv1d.py.
constexpr int kNone = 0, kLeaky = 1, kStyleSnake = 2, kStyleLeaky = 3;

struct StyleConvArgs {
  const half* x;             // [batch, rows_in, channels_in]
  const long long* moments;  // [batch, 2, channels_in]: sums of values and of squares
  const float* factors;      // [batch, 2 channels_in]: what is added to gain 1, and the offset
  const float* alpha;        // [channels_in]
  const half* weight;        // [taps, channels_in, channels_out]
  const float* bias;         // [channels_out]
  const half* residual;      // [batch, rows_out, channels_out], added before the factor
  const half* second;        // the same, added after it
  const int* lengths;        // [batch]: rows of the input that count
  half* y;                   // [batch, rows_out, channels_out], or
  float* y_wide;             // the same, not rounded
  long long* moments_out;    // [batch, 2, channels_out], added to
  int64_t batch, rows_in, rows_out;
  int64_t x_stride, residual_stride, second_stride, y_stride, factors_stride;
  int channels_in, channels_out, taps, dilation, padding;
  float factor, slope;
};

void run_style_conv1d(const StyleConvArgs& p, int activation, int device, cudaStream_t stream);

}  // namespace autovoice
