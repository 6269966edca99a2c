// The host side of style_conv1d: checks, output, launch.
#include "style_conv1d.h"

namespace autovoice {
namespace {

constexpr const char* kOp = "style_conv1d";

void check_rows(const Tensor& rows, const Tensor& like, const char* name) {
  check_cuda(rows, kOp, name, ScalarType::Half);
  STD_TORCH_CHECK(rows.dim() == 3 && rows.size(0) == like.size(0) && rows.size(1) == like.size(1) &&
                      rows.size(2) == like.size(2),
                  kOp, ": ", name, " must have the shape of the output, [", like.size(0), ", ",
                  like.size(1), ", ", like.size(2), "]");
}

const float* floats(const std::optional<Tensor>& tensor, const char* name, int64_t count) {
  if (!tensor) return nullptr;
  check_dense(*tensor, kOp, name, ScalarType::Float, count);
  return pointer<float>(*tensor);
}

long long* moments(const std::optional<Tensor>& tensor, const char* name, int64_t count) {
  if (!tensor) return nullptr;
  check_dense(*tensor, kOp, name, ScalarType::Long, count);
  return pointer<long long>(*tensor);
}

void read_style(StyleConvArgs& p, int64_t activation, const std::optional<Tensor>& sums,
                const std::optional<Tensor>& factors, const std::optional<Tensor>& alpha) {
  if (activation != kStyleSnake && activation != kStyleLeaky) return;
  STD_TORCH_CHECK(sums && factors, kOp, ": a style needs moments and factors");
  p.moments = moments(sums, "moments", p.batch * 2 * p.channels_in);
  check_cuda(*factors, kOp, "factors", ScalarType::Float);
  STD_TORCH_CHECK(factors->dim() == 2 && factors->size(0) == p.batch &&
                      factors->size(1) == 2 * p.channels_in && factors->stride(1) == 1,
                  kOp, ": factors must be [", p.batch, ", ", 2 * p.channels_in, "] with dense rows");
  p.factors = pointer<float>(*factors);
  p.factors_stride = factors->stride(0);
  if (activation != kStyleSnake) return;
  STD_TORCH_CHECK(alpha.has_value(), kOp, ": Snake needs alpha");
  p.alpha = floats(alpha, "alpha", p.channels_in);
}

Tensor style_conv1d(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                    const std::optional<Tensor>& sums, const std::optional<Tensor>& factors,
                    const std::optional<Tensor>& alpha, const std::optional<Tensor>& residual,
                    const std::optional<Tensor>& second, const std::optional<Tensor>& lengths,
                    const std::optional<Tensor>& moments_out, int64_t activation, int64_t dilation,
                    int64_t padding, int64_t rows_out, double slope, double factor, bool wide) {
  check_cuda(x, kOp, "x", ScalarType::Half);
  check_cuda(weight, kOp, "weight", ScalarType::Half);
  STD_TORCH_CHECK(weight.dim() == 3 && weight.is_contiguous(), kOp,
                  ": weight must be contiguous [taps, channels_in, channels_out]");
  StyleConvArgs p{};
  p.x_stride = item_stride(x, kOp, "x");
  p.batch = x.size(0), p.rows_in = x.size(1), p.rows_out = rows_out;
  p.channels_in = int(x.size(2)), p.channels_out = int(weight.size(2)), p.taps = int(weight.size(0));
  STD_TORCH_CHECK(weight.size(1) == x.size(2), kOp, ": x has ", x.size(2), " channels, weight ",
                  weight.size(1));
  STD_TORCH_CHECK(p.channels_in % 32 == 0 && p.channels_out % 32 == 0, kOp, ": found ",
                  p.channels_in, " and ", p.channels_out, " channels, expected multiples of 32");
  STD_TORCH_CHECK(activation >= kNone && activation <= kStyleLeaky && dilation >= 1 && rows_out >= 0,
                  kOp, ": activation, dilation or rows_out out of range");
  STD_TORCH_CHECK(p.batch <= 65535 && p.rows_in < (int64_t(1) << 31) && rows_out < (int64_t(1) << 31),
                  kOp, ": at most 65535 items of 2^31 rows");
  p.dilation = int(dilation), p.padding = int(padding);
  p.slope = float(slope), p.factor = float(factor);
  torch::stable::accelerator::DeviceGuard guard(x.get_device_index());
  Tensor y = torch::stable::new_empty(x, {p.batch, rows_out, p.channels_out},
                                      wide ? ScalarType::Float : ScalarType::Half);
  if (p.batch == 0 || rows_out == 0) return y;
  p.x = pointer<half>(x), p.weight = pointer<half>(weight);
  p.bias = floats(bias, "bias", p.channels_out);
  read_style(p, activation, sums, factors, alpha);
  if (residual) {
    check_rows(*residual, y, "residual");
    p.residual = pointer<half>(*residual), p.residual_stride = item_stride(*residual, kOp, "residual");
  }
  if (second) {
    check_rows(*second, y, "second");
    p.second = pointer<half>(*second), p.second_stride = item_stride(*second, kOp, "second");
  }
  p.lengths = item_lengths(lengths, kOp, p.batch);
  p.moments_out = moments(moments_out, "moments_out", p.batch * 2 * p.channels_out);
  p.y_stride = rows_out * p.channels_out;
  if (wide) {
    p.y_wide = pointer<float>(y);
  } else {
    p.y = pointer<half>(y);
  }
  run_style_conv1d(p, int(activation), x.get_device_index(), current_stream(x));
  return y;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(autovoice, CUDA, library) {
  library.impl("style_conv1d", TORCH_BOX(&style_conv1d));
}

}  // namespace autovoice
