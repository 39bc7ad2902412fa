// Beside libfaketime, which has the wait of pthreads on the clock that it shows and not that of C11,
// by which librdkafka waits: with one clock for the end of a wait and another for the wait itself
// it would wait for an hour, or not at all. In glibc both waits take the same objects.
#include <errno.h>
#include <pthread.h>
#include <threads.h>
#include <time.h>

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until) {
    switch (pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until)) {
        case 0: return thrd_success;
        case ETIMEDOUT: return thrd_timedout;
        default: return thrd_error;
    }
}
