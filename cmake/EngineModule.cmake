# fastnn_engine_module(path [OPENMP]): the extension module of src/fastnn/engine/<path>.pyx.

set(FASTNN_ENGINE_DIR ${CMAKE_CURRENT_SOURCE_DIR}/src/fastnn/engine)
file(GLOB_RECURSE FASTNN_ENGINE_PXD CONFIGURE_DEPENDS ${FASTNN_ENGINE_DIR}/*.pxd)

function(fastnn_engine_module path)
  cmake_parse_arguments(MODULE "OPENMP" "" "" ${ARGN})
  cmake_path(GET path PARENT_PATH folder)
  cmake_path(GET path FILENAME name)
  string(REPLACE "/" "." module fastnn.engine.${path})
  string(REPLACE "/" "_" target engine_${path})
  cython_transpile(${FASTNN_ENGINE_DIR}/${path}.pyx LANGUAGE C OUTPUT_VARIABLE transpiled
                   OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${target}.c
                   CYTHON_ARGS -3 --module-name ${module} -I ${CMAKE_CURRENT_SOURCE_DIR}/src)
  python_add_library(${target} MODULE WITH_SOABI ${transpiled})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name}
                                             LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/engine/${folder})
  target_include_directories(${target} PRIVATE ${FASTNN_ENGINE_DIR} ${FASTNN_KERNEL_DIR})
  target_link_libraries(${target} PRIVATE Python::NumPy)
  target_compile_definitions(${target} PRIVATE NPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION)
  target_compile_options(${target} PRIVATE ${FASTNN_FLAG}-O2)
  if(MODULE_OPENMP AND OpenMP_C_FOUND)
    target_link_libraries(${target} PRIVATE OpenMP::OpenMP_C)
  endif()
  install(TARGETS ${target} DESTINATION fastnn/engine/${folder})
endfunction()
