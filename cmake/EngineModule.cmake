# fastnn_engine_module(file): the extension module of src/fastnn/engine/<file>, fastnn.engine.<its path>.

set(FASTNN_ENGINE_DIR ${CMAKE_CURRENT_SOURCE_DIR}/src/fastnn/engine)

function(fastnn_engine_module file)
  cmake_path(GET file PARENT_PATH folder)
  cmake_path(GET file STEM name)
  cmake_path(REMOVE_EXTENSION file OUTPUT_VARIABLE path)
  string(REPLACE "/" "." module fastnn.engine.${path})
  string(REPLACE "/" "_" target engine_${path}) # files in different folders may have one name
  # cdivision: / and % are C's, which do not check for a divisor of zero. kernels.pxd is in FASTNN_GENERATED_DIR.
  cython_transpile(${FASTNN_ENGINE_DIR}/${file} LANGUAGE C OUTPUT_VARIABLE transpiled
                   OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${target}.c
                   CYTHON_ARGS -3 -X cdivision=True --module-name ${module}
                               -I ${FASTNN_GENERATED_DIR} -I ${CMAKE_CURRENT_SOURCE_DIR}/src)
  python_add_library(${target} MODULE WITH_SOABI ${transpiled})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name}
                                             LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/engine/${folder})
  target_include_directories(${target} PRIVATE ${FASTNN_ENGINE_DIR}/threads ${FASTNN_KERNEL_DIR})
  target_link_libraries(${target} PRIVATE Python::NumPy)
  target_compile_definitions(${target} PRIVATE NPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION)
  target_compile_options(${target} PRIVATE ${FASTNN_FLAG}-O2)
  if(OpenMP_C_FOUND)
    target_link_libraries(${target} PRIVATE OpenMP::OpenMP_C)
  endif()
  install(TARGETS ${target} DESTINATION fastnn/engine/${folder})
endfunction()
