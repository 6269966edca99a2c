// What products on tensor cores share: copies into shared memory that nobody waits for, fragments,
// mma.sync. All of it needs compute capability 8.0; below, the bodies are empty and the host refuses.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <type_traits>

#include "common.h"

namespace autovoice::tiles {

constexpr int kPad = 8;      // values after each row of a tile: rows start in different banks
constexpr int kStep = 32;    // of the inner dimension at a time
constexpr int kStages = 4;   // of these steps in shared memory
constexpr int kPitch = kStep + kPad;

// Copy 16 bytes; zeros where nothing is there, and then `global` is not read.
__device__ __forceinline__ void copy_16(void* shared, const void* global, bool there) {
#if __CUDA_ARCH__ >= 800
  const unsigned target = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(target), "l"(global),
               "r"(there ? 16 : 0)
               : "memory");
#endif
}

__device__ __forceinline__ void commit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}

template <int Pending>
__device__ __forceinline__ void wait_for() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;\n" ::"n"(Pending) : "memory");
#endif
}

template <typename T>
__device__ __forceinline__ void load_4(unsigned (&reg)[4], const T* row) {
#if __CUDA_ARCH__ >= 800
  const unsigned source = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(reg[0]), "=r"(reg[1]), "=r"(reg[2]), "=r"(reg[3])
               : "r"(source)
               : "memory");
#endif
}

// sum += a b, 16 x 8 from 16 x 16 and 16 x 8.
template <typename T>
__device__ __forceinline__ void multiply(float (&sum)[4], const unsigned (&a)[4], unsigned b0,
                                         unsigned b1) {
#if __CUDA_ARCH__ >= 800
  if constexpr (std::is_same_v<T, half>) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};\n"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};\n"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
#endif
}

template <typename T>
__device__ __forceinline__ float wide(T value) {
  if constexpr (std::is_same_v<T, half>) return __half2float(value);
  else return __bfloat162float(value);
}

// Dense, of `type`, and where 16 bytes can be read at once.
inline void check_rows(const Tensor& tensor, const char* op, const char* name, ScalarType type,
                       int64_t count) {
  check_dense(tensor, op, name, type, count);
  STD_TORCH_CHECK(reinterpret_cast<uintptr_t>(tensor.data_ptr()) % 16 == 0, op, ": ", name,
                  " does not begin at a multiple of 16 bytes; call .clone() on it");
}

// Half precision of either kind, on a device that has the instructions.
inline void check_device(const Tensor& tensor, const char* op, const char* name) {
  STD_TORCH_CHECK(tensor.is_cuda(), op, ": ", name, " is not on a CUDA device");
  const ScalarType type = tensor.scalar_type();
  STD_TORCH_CHECK(type == ScalarType::Half || type == ScalarType::BFloat16, op, ": ", name, " has dtype ",
                  torch::headeronly::toString(type), ", expected Half or BFloat16");
  int major = 0;
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, tensor.get_device_index());
  STD_TORCH_CHECK(major >= 8, op, ": found compute capability ", major, ".x, expected 8.0 or newer");
}

inline int processors(const Tensor& tensor) {
  int count = 1;
  cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, tensor.get_device_index());
  return count;
}

template <typename Kernel>
void allow_shared(Kernel* kernel, size_t bytes) {
  if (bytes <= 48 * 1024) return;
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(bytes));
}

}  // namespace autovoice::tiles
