# The instruction sets that the kernels are compiled for, best first. One row each:
#
#   fastnn_instruction_set(name ARCHITECTURE which VECTOR_BYTES n TILE rows vectors FLAGS flags CPU expression)
#
# TILE is the register tile: TILE_ROWS broadcast scalars times TILE_VECTORS vectors. Its rows * vectors sums, a row of
# vectors and a scalar have to fit the registers, and the sums must be at least latency * throughput of the FMA (8 on
# today's CPUs) to keep it busy. Fewer rows divide more batches evenly; the tiles below were the fastest measured on
# the reference network. CPU is a C expression that tells whether the CPU running it has the instruction set.

set(FASTNN_LEVELS "")

function(fastnn_instruction_set name)
  cmake_parse_arguments(ROW "" "ARCHITECTURE;VECTOR_BYTES;CPU" "TILE;FLAGS" ${ARGN})
  if(ROW_ARCHITECTURE AND NOT CMAKE_SYSTEM_PROCESSOR MATCHES "${ROW_ARCHITECTURE}")
    return()
  endif()
  list(GET ROW_TILE 0 tile_rows)
  list(GET ROW_TILE 1 tile_vectors)
  list(TRANSFORM ROW_FLAGS PREPEND "${FASTNN_FLAG}")
  foreach(dtype IN ITEMS f32 f64)
    set(kernels fastnn_kernels_${name}_${dtype})
    add_library(${kernels} OBJECT ${FASTNN_KERNEL_SOURCES})
    set_target_properties(${kernels} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
    target_include_directories(${kernels} PRIVATE ${FASTNN_GENERATED_DIR})
    target_compile_options(${kernels} PRIVATE ${FASTNN_KERNEL_FLAGS} ${ROW_FLAGS})
    target_compile_definitions(
      ${kernels}
      PRIVATE FASTNN_LEVEL=${name} FASTNN_VECTOR_BYTES=${ROW_VECTOR_BYTES} FASTNN_TILE_ROWS=${tile_rows}
              FASTNN_TILE_VECTORS=${tile_vectors} $<$<STREQUAL:${dtype},f64>:FASTNN_DOUBLE>)
    target_sources(fastnn_kernels PRIVATE $<TARGET_OBJECTS:${kernels}>)
  endforeach()
  set(FASTNN_LEVELS "${FASTNN_LEVELS}LEVEL(${name}, ${ROW_CPU})\n" PARENT_SCOPE)
endfunction()

fastnn_instruction_set(avx512
  ARCHITECTURE "x86_64|AMD64" VECTOR_BYTES 64 TILE 8 2
  FLAGS -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma
  CPU "__builtin_cpu_supports(\"avx512f\") && __builtin_cpu_supports(\"avx512dq\") && \
__builtin_cpu_supports(\"avx512bw\") && __builtin_cpu_supports(\"avx512vl\")")

fastnn_instruction_set(avx2
  ARCHITECTURE "x86_64|AMD64" VECTOR_BYTES 32 TILE 6 2
  FLAGS -mavx2 -mfma
  CPU "__builtin_cpu_supports(\"avx2\") && __builtin_cpu_supports(\"fma\")")

# The 64-byte source on AVX2's 32-byte registers. It is slow, and there to test that source on CPUs without AVX-512.
if(FASTNN_WIDE_ON_AVX2)
  fastnn_instruction_set(wide_on_avx2
    ARCHITECTURE "x86_64|AMD64" VECTOR_BYTES 64 TILE 8 2
    FLAGS -mavx2 -mfma -Wno-psabi
    CPU "__builtin_cpu_supports(\"avx2\") && __builtin_cpu_supports(\"fma\")")
endif()

fastnn_instruction_set(neon
  ARCHITECTURE "aarch64|arm64|ARM64" VECTOR_BYTES 16 TILE 8 2
  CPU 1)

# What every CPU of its architecture can run: SSE2 on x86-64, and all architectures that are not listed above.
fastnn_instruction_set(baseline VECTOR_BYTES 16 TILE 4 2 CPU 1)
