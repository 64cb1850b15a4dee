"""A team's threads wake up on cores of their own: placement.h, alone."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include "placement.h"

enum { ROUNDS = 100 };
static cpu_set_t all;
static placement_taken taken[ROUNDS];
static int core_of[ROUNDS][2], moved_mask;
static pthread_barrier_t begin;

static void *member(void *rank)
{
    for (int round = 0; round < ROUNDS; round++) {
        cpu_set_t first, mask;
        CPU_ZERO(&first);
        for (int core = 0; !CPU_COUNT(&first); core++)
            if (CPU_ISSET(core, &all))
                CPU_SET(core, &first);
        sched_setaffinity(0, sizeof first, &first); /* both wake up here */
        pthread_barrier_wait(&begin);
        sched_setaffinity(0, sizeof all, &all);
        placement_spread(&taken[round]);
        core_of[round][(size_t)rank] = sched_getcpu();
        sched_getaffinity(0, sizeof mask, &mask);
        moved_mask |= !CPU_EQUAL(&mask, &all);
        pthread_barrier_wait(&begin);
    }
    return NULL;
}

int main(void)
{
    pthread_t other;
    int apart = 0;
    sched_getaffinity(0, sizeof all, &all);
    pthread_barrier_init(&begin, NULL, 2);
    pthread_create(&other, NULL, member, (void *)1);
    member(NULL);
    pthread_join(other, NULL);
    for (int round = 0; round < ROUNDS; round++)
        apart += core_of[round][0] != core_of[round][1];
    printf("%d %d\n", apart, moved_mask);
}
"""


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux's masks")
@pytest.mark.skipif(len(getattr(os, "sched_getaffinity", lambda _: ())(0)) < 2, reason="needs two cores")
def test_threads_that_wake_up_on_one_core_move_apart(tmp_path):
    """Not always: the system may move one to the core that the other has just taken. Without it hardly ever."""
    source, program = tmp_path / "spread.c", tmp_path / "spread"
    source.write_text(PROGRAM)
    threads = Path(__file__).parents[2] / "src" / "fastnn" / "engine" / "threads"
    subprocess.run(["cc", "-fopenmp", "-pthread", f"-I{threads}", source, "-o", program], check=True)
    apart, moved_mask = map(int, subprocess.run([program], check=True, capture_output=True, text=True).stdout.split())
    assert apart >= 80
    assert not moved_mask
