# fastnn_engine_module(file): the extension module fastnn.engine.<name>, from src/fastnn/engine/<name>.pyx.

set(FASTNN_ENGINE_DIR ${CMAKE_CURRENT_SOURCE_DIR}/src/fastnn/engine)

function(fastnn_engine_module file)
  get_filename_component(name ${file} NAME_WE)
  # cdivision: / and % are C's, which ask nobody whether the divisor is zero. kernels.pxd is in FASTNN_GENERATED_DIR.
  cython_transpile(${file} LANGUAGE C OUTPUT_VARIABLE transpiled
                   CYTHON_ARGS -3 -X cdivision=True --module-name fastnn.engine.${name}
                               -I ${FASTNN_GENERATED_DIR} -I ${CMAKE_CURRENT_SOURCE_DIR}/src)
  python_add_library(${name} MODULE WITH_SOABI ${transpiled})
  target_include_directories(${name} PRIVATE ${FASTNN_ENGINE_DIR} ${FASTNN_KERNEL_DIR})
  target_link_libraries(${name} PRIVATE Python::NumPy)
  target_compile_definitions(${name} PRIVATE NPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION)
  target_compile_options(${name} PRIVATE ${FASTNN_FLAG}-O2)
  if(OpenMP_C_FOUND)
    target_link_libraries(${name} PRIVATE OpenMP::OpenMP_C)
  endif()
  install(TARGETS ${name} DESTINATION fastnn/engine)
endfunction()
