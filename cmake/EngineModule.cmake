# fastnn_engine_module(name [OPENMP]): the extension module fastnn.engine.<name>, from src/fastnn/engine/<name>.pyx.

set(FASTNN_ENGINE_DIR ${CMAKE_CURRENT_SOURCE_DIR}/src/fastnn/engine)
file(GLOB FASTNN_ENGINE_PXD CONFIGURE_DEPENDS ${FASTNN_ENGINE_DIR}/*.pxd)

function(fastnn_engine_module name)
  cmake_parse_arguments(MODULE "OPENMP" "" "" ${ARGN})
  cython_transpile(${FASTNN_ENGINE_DIR}/${name}.pyx LANGUAGE C OUTPUT_VARIABLE transpiled
                   CYTHON_ARGS -3 --module-name fastnn.engine.${name} -I ${CMAKE_CURRENT_SOURCE_DIR}/src)
  python_add_library(${name} MODULE WITH_SOABI ${transpiled})
  target_include_directories(${name} PRIVATE ${FASTNN_ENGINE_DIR} ${FASTNN_KERNEL_DIR})
  target_link_libraries(${name} PRIVATE Python::NumPy)
  target_compile_definitions(${name} PRIVATE NPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION)
  target_compile_options(${name} PRIVATE ${FASTNN_FLAG}-O2)
  if(MODULE_OPENMP AND OpenMP_C_FOUND)
    target_link_libraries(${name} PRIVATE OpenMP::OpenMP_C)
  endif()
  install(TARGETS ${name} DESTINATION fastnn/engine)
endfunction()
