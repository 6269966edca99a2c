// What every kernel's host side needs: argument checks, the device, the stream, launch errors.
#pragma once

#include <cuda_runtime.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/Exception.h>

#include <cstdint>
#include <optional>
#include <tuple>

// torch exports this from its CUDA library; its shim header shows it only to CUDA builds of torch.
extern "C" AOTITorchError aoti_torch_get_current_cuda_stream(int32_t device_index, void** stream);

namespace autovoice {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

inline cudaStream_t current_stream(const Tensor& tensor) {
  void* stream = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(
      aoti_torch_get_current_cuda_stream(tensor.get_device_index(), &stream));
  return static_cast<cudaStream_t>(stream);
}

inline void check_launch(const char* op) {
  const cudaError_t error = cudaGetLastError();
  STD_TORCH_CHECK(error == cudaSuccess, op, ": launch failed: ", cudaGetErrorString(error));
}

inline void check_cuda(const Tensor& tensor, const char* op, const char* name, ScalarType type) {
  STD_TORCH_CHECK(tensor.is_cuda(), op, ": ", name, " is not on a CUDA device");
  STD_TORCH_CHECK(tensor.scalar_type() == type, op, ": ", name, " has dtype ",
                  torch::headeronly::toString(tensor.scalar_type()), ", expected ",
                  torch::headeronly::toString(type));
}

// Rows [T, C] must lie one after another; whole items may be apart (a view of a longer buffer).
inline int64_t item_stride(const Tensor& tensor, const char* op, const char* name) {
  STD_TORCH_CHECK(tensor.dim() == 3, op, ": ", name, " has ", tensor.dim(), " dimensions, expected 3");
  STD_TORCH_CHECK(tensor.stride(2) == 1 && (tensor.size(1) <= 1 || tensor.stride(1) == tensor.size(2)),
                  op, ": ", name, " must have contiguous rows; call .contiguous() on it");
  return tensor.size(0) > 1 ? tensor.stride(0) : tensor.size(1) * tensor.size(2);
}

template <typename T>
T* pointer(const Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

__host__ __device__ inline int64_t divided_up(int64_t count, int64_t size) { return (count + size - 1) / size; }

inline void check_dense(const Tensor& tensor, const char* op, const char* name, ScalarType type,
                        int64_t count) {
  check_cuda(tensor, op, name, type);
  STD_TORCH_CHECK(tensor.is_contiguous() && tensor.numel() == count, op, ": ", name, " has ",
                  tensor.numel(), " values, expected ", count, ", contiguous");
}

// How much of each item counts, if that was given.
inline const int* item_lengths(const std::optional<Tensor>& lengths, const char* op, int64_t batch) {
  if (!lengths) return nullptr;
  check_dense(*lengths, op, "lengths", ScalarType::Int, batch);
  return pointer<int>(*lengths);
}

}  // namespace autovoice
