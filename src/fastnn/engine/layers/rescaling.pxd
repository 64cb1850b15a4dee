from fastnn.engine.kernels cimport fastnn_rescaling
from fastnn.engine.layers.layer cimport EngineLayer


cdef class RescalingLayer(EngineLayer):
    cdef fastnn_rescaling rescaling
