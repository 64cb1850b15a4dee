from fastnn.engine.kernels cimport fastnn_kernels

cdef const fastnn_kernels *kernels_for(object dtype, object name=*) except NULL
