/* Which instruction sets were built, and which of them this CPU can run. */
#include "kernels.h"

#include <string.h>

/* levels.def is written by the build, best level first: LEVEL(name, an expression that asks the CPU). */
#define LEVEL(name, supported) extern const fastnn_kernels kernels_##name##_f32, kernels_##name##_f64;
#include "levels.def"
#undef LEVEL

typedef struct {
    const char *name;
    const fastnn_kernels *f32, *f64;
} level;

static const level levels[] = {
#define LEVEL(name, supported) {#name, &kernels_##name##_f32, &kernels_##name##_f64},
#include "levels.def"
#undef LEVEL
};

enum { N_LEVELS = sizeof levels / sizeof *levels };

int fastnn_cpu_has(const char *name)
{
#define LEVEL(level_name, supported)    \
    if (strcmp(name, #level_name) == 0) \
        return (supported) != 0;
#include "levels.def"
#undef LEVEL
    return 0;
}

const char *fastnn_level(int index) { return index >= 0 && index < N_LEVELS ? levels[index].name : NULL; }

const fastnn_kernels *fastnn_select(const char *name, int is_double)
{
    for (int i = 0; i < N_LEVELS; i++)
        if (strcmp(name, levels[i].name) == 0)
            return !fastnn_cpu_has(name) ? NULL : is_double ? levels[i].f64 : levels[i].f32;
    return NULL;
}
