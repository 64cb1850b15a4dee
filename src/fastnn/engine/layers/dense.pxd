from fastnn.engine.layers.layer cimport EngineLayer


cdef class DenseLayer(EngineLayer):
    pass
