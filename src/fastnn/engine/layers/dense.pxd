from fastnn.engine.layers.layer cimport EngineLayer


cdef class DenseLayer(EngineLayer):
    cdef bint use_bias, trainable
