// Two small companions of style_conv1d: the moments of rows that no convolution made, and style,
// leaky ReLU and a depthwise transposed convolution that doubles the rate.
#include <cuda_fp16.h>

#include "style.h"

namespace autovoice {
namespace {

constexpr int kColumns = 32, kLanes = 8, kRows = 64;

// A block sums 64 rows of 32 channels; eight threads share a channel.
__global__ void row_moments_kernel(const half* x, const int* lengths, long long* y, int64_t x_stride,
                                   int rows, int channels) {
  __shared__ float sums[2][kLanes][kColumns];
  const int c = blockIdx.x * kColumns + threadIdx.x, item = blockIdx.z;
  const int valid = lengths ? min(lengths[item], rows) : rows;
  float total = 0.f, squares = 0.f;
  for (int i = threadIdx.y; i < kRows; i += kLanes) {
    const int t = blockIdx.y * kRows + i;
    if (t < valid && c < channels) {
      const float value = __half2float(x[item * x_stride + int64_t(t) * channels + c]);
      total += value, squares += value * value;
    }
  }
  sums[0][threadIdx.y][threadIdx.x] = total;
  sums[1][threadIdx.y][threadIdx.x] = squares;
  __syncthreads();
  if (threadIdx.y >= 2 || c >= channels) return;
  float found = 0.f;
  for (int i = 0; i < kLanes; ++i) found += sums[threadIdx.y][i][threadIdx.x];
  add_moment(y + (int64_t(item) * 2 + threadIdx.y) * channels + c, found);
}

Tensor row_moments(const Tensor& x, const std::optional<Tensor>& lengths) {
  constexpr const char* op = "row_moments";
  check_cuda(x, op, "x", ScalarType::Half);
  const int64_t stride = item_stride(x, op, "x");
  const int64_t batch = x.size(0), rows = x.size(1), channels = x.size(2);
  torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  Tensor y = torch::stable::new_zeros(x, {batch, 2, channels}, ScalarType::Long);
  if (batch == 0 || rows == 0) return y;
  const dim3 grid(unsigned(divided_up(channels, kColumns)), unsigned(divided_up(rows, kRows)),
                  unsigned(batch));
  row_moments_kernel<<<grid, dim3(kColumns, kLanes), 0, current_stream(x)>>>(
      pointer<half>(x), item_lengths(lengths, op, batch), pointer<long long>(y), stride, int(rows),
      int(channels));
  check_launch(op);
  return y;
}

struct PoolArgs {
  const half* x;             // [batch, rows, channels]
  const long long* moments;  // [batch, 2, channels]
  const float* factors;      // [batch, 2 channels]
  const float* weight;       // [3, channels]
  const float* bias;         // [channels]
  const int* lengths;
  half* y;                   // [batch, 2 rows, channels]
  int64_t x_stride, factors_stride;
  int rows, channels;
  float slope;
};

__global__ void style_pool_kernel(const PoolArgs p) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x, item = blockIdx.z;
  if (c >= p.channels) return;
  const int valid = p.lengths ? min(p.lengths[item], p.rows) : p.rows;
  const float2 style = style_of(p.moments + int64_t(item) * 2 * p.channels,
                                p.factors + item * p.factors_stride, p.channels, c, valid);
  const float before = p.weight[c], here = p.weight[p.channels + c], after = p.weight[2 * p.channels + c];
  const float bias = p.bias[c];
  const auto value = [&](int t) {
    if (t >= valid) return 0.f;
    const float made =
        fmaf(__half2float(p.x[item * p.x_stride + int64_t(t) * p.channels + c]), style.x, style.y);
    return made >= 0.f ? made : p.slope * made;
  };
  const int first = blockIdx.y * kLanes, last = min(first + kLanes, p.rows);
  half* y = p.y + int64_t(item) * 2 * p.rows * p.channels + c;
  float now = value(first);
  for (int t = first; t < last; ++t) {
    const float next = value(t + 1);
    y[int64_t(2 * t) * p.channels] = __float2half_rn(fmaf(now, here, bias));
    y[int64_t(2 * t + 1) * p.channels] = __float2half_rn(fmaf(now, after, fmaf(next, before, bias)));
    now = next;
  }
}

Tensor style_pool(const Tensor& x, const Tensor& moments, const Tensor& factors, const Tensor& weight,
                  const Tensor& bias, const std::optional<Tensor>& lengths, double slope) {
  constexpr const char* op = "style_pool";
  check_cuda(x, op, "x", ScalarType::Half);
  PoolArgs p{};
  p.x_stride = item_stride(x, op, "x");
  const int64_t batch = x.size(0), rows = x.size(1), channels = x.size(2);
  check_dense(moments, op, "moments", ScalarType::Long, batch * 2 * channels);
  check_dense(weight, op, "weight", ScalarType::Float, 3 * channels);
  check_dense(bias, op, "bias", ScalarType::Float, channels);
  check_cuda(factors, op, "factors", ScalarType::Float);
  STD_TORCH_CHECK(factors.dim() == 2 && factors.size(0) == batch && factors.size(1) == 2 * channels &&
                      factors.stride(1) == 1,
                  op, ": factors must be [", batch, ", ", 2 * channels, "] with dense rows");
  torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  Tensor y = torch::stable::new_empty(x, {batch, 2 * rows, channels}, ScalarType::Half);
  if (batch == 0 || rows == 0) return y;
  p.x = pointer<half>(x), p.moments = pointer<long long>(moments), p.factors = pointer<float>(factors);
  p.weight = pointer<float>(weight), p.bias = pointer<float>(bias), p.y = pointer<half>(y);
  p.lengths = item_lengths(lengths, op, batch);
  p.factors_stride = factors.stride(0);
  p.rows = int(rows), p.channels = int(channels), p.slope = float(slope);
  const dim3 grid(unsigned(divided_up(channels, 128)), unsigned(divided_up(rows, kLanes)), unsigned(batch));
  style_pool_kernel<<<grid, 128, 0, current_stream(x)>>>(p);
  check_launch(op);
  return y;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(autovoice, CUDA, library) {
  library.impl("row_moments", TORCH_BOX(&row_moments));
  library.impl("style_pool", TORCH_BOX(&style_pool));
}

}  // namespace autovoice
