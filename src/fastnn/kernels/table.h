/* The prototypes of one (instruction set, number type)'s kernels; their contracts are in kernels.h.
 *
 * kernels.def is written by the build, from kernels.h: KERNEL_ROW(type, name, (arguments)).
 */
#ifndef FASTNN_TABLE_H
#define FASTNN_TABLE_H

#include "kernels.h"
#include "simd.h"

#define KERNEL_ROW(type, name, arguments) type KERNEL(name) arguments;
#include "kernels.def"
#undef KERNEL_ROW

extern const fastnn_kernels KERNEL(kernels);

#endif
