/* Two threads that answer each other by a line of memory each: how far apart their cores are. */
#include <omp.h>

typedef struct {
    _Alignas(64) volatile long value;
    char apart[64 - sizeof(long)];
} line;

/* Seconds from one to the other and back, the mean of n times. */
double there_and_back(long n)
{
    static line call, answer;
    double seconds = 0;
    call.value = answer.value = 0;
#pragma omp parallel num_threads(2)
    {
        double start = omp_get_wtime();
        for (long i = 1; i <= n; i++)
            if (omp_get_thread_num() == 0) {
                call.value = i;
                while (answer.value != i)
                    ;
            } else {
                while (call.value != i)
                    ;
                answer.value = i;
            }
        if (omp_get_thread_num() == 0)
            seconds = omp_get_wtime() - start;
    }
    return seconds / n;
}
