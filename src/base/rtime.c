/*
 * Clocks and RFC 3339. Durations are measured with the monotonic clock only; the wall clock is for what goes into API
 * objects, as metav1.Time prints it: UTC, whole seconds.
 */
#include <time.h>

#include "base/rtime.h"

/* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: four digits for the year, no more. */
#define WALL_MIN (-62167219200LL)
#define WALL_MAX 253402300799LL

uint64_t time_mono_ns(void)
{
    struct timespec ts;
    int r = clock_gettime(CLOCK_MONOTONIC, &ts);

    assert(r == 0);
    (void)r;
    return (uint64_t)ts.tv_sec * (uint64_t)NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t time_mono_ms(void)
{
    return time_mono_ns() / (uint64_t)NSEC_PER_MS;
}

int64_t time_wall_s(void)
{
    struct timespec ts;
    int r = clock_gettime(CLOCK_REALTIME, &ts);

    assert(r == 0);
    (void)r;
    return ts.tv_sec;
}

static void put_digits(char *out, int width, int v)
{
    for (int i = width - 1; i >= 0; i--, v /= 10)
        out[i] = (char)('0' + v % 10);
}

void time_rfc3339(int64_t wall_s, char out[static 21])
{
    time_t t = (time_t)MAX(WALL_MIN, MIN(WALL_MAX, (long long)wall_s));
    struct tm tm;

    gmtime_r(&t, &tm);
    memcpy(out, "0000-00-00T00:00:00Z", 21);
    put_digits(out, 4, tm.tm_year + 1900);
    put_digits(out + 5, 2, tm.tm_mon + 1);
    put_digits(out + 8, 2, tm.tm_mday);
    put_digits(out + 11, 2, tm.tm_hour);
    put_digits(out + 14, 2, tm.tm_min);
    put_digits(out + 17, 2, tm.tm_sec);
}

/* Takes `width` digits and then the byte `after` (0: nothing) off the front of s. */
static bool take_number(struct str *s, size_t width, char after, int max, int *ret)
{
    size_t n = width + (after ? 1 : 0);
    int v = 0;

    if (s->n < n || (after && s->p[width] != after))
        return false;
    for (size_t i = 0; i < width; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    if (v > max)
        return false;
    *s = str_n(s->p + n, s->n - n);
    *ret = v;
    return true;
}

static bool take_fraction(struct str *s)
{
    size_t i = 1;

    if (s->n == 0 || s->p[0] != '.')
        return true;
    while (i < s->n && s->p[i] >= '0' && s->p[i] <= '9')
        i++;
    *s = str_n(s->p + i, s->n - i);
    return i > 1;
}

/* "Z" or "+01:00", the whole rest. */
static bool parse_zone(struct str s, int *ret_offset_s)
{
    int hours, minutes, sign;

    if (str_eq(s, STR("Z"))) {
        *ret_offset_s = 0;
        return true;
    }
    if (s.n == 0 || (s.p[0] != '+' && s.p[0] != '-'))
        return false;
    sign = s.p[0] == '-' ? -1 : 1;
    s = str_n(s.p + 1, s.n - 1);
    if (!take_number(&s, 2, ':', 24, &hours) || !take_number(&s, 2, 0, 60, &minutes) || s.n)
        return false;
    *ret_offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

int time_parse_rfc3339(struct str s, int64_t *ret_wall_s)
{
    struct tm tm = { 0 };
    int year, month, offset;

    if (!take_number(&s, 4, '-', 9999, &year) || !take_number(&s, 2, '-', 12, &month) ||
        !take_number(&s, 2, 'T', 31, &tm.tm_mday) || !take_number(&s, 2, ':', 23, &tm.tm_hour) ||
        !take_number(&s, 2, ':', 59, &tm.tm_min) || !take_number(&s, 2, 0, 59, &tm.tm_sec))
        return -EINVAL;
    if (!take_fraction(&s) || !parse_zone(s, &offset))
        return -EINVAL;
    if (month < 1 || tm.tm_mday < 1 || tm.tm_mday > days_in_month(year, month))
        return -EINVAL;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    *ret_wall_s = (int64_t)timegm(&tm) - offset;
    return 0;
}

int time_parse_http(struct str s, int64_t *ret_wall_s)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm = { 0 };
    int year;
    size_t month = 0;

    if (s.n != strlen("Sun, 06 Nov 1994 08:49:37 GMT") || s.p[3] != ',' || s.p[4] != ' ')
        return -EINVAL;
    struct str name = str_n(s.p + 8, 3);
    while (month < 12 && !str_eq(name, str_n(months + 3 * month, 3)))
        month++;
    struct str day = str_n(s.p + 5, 3), rest = str_n(s.p + 12, s.n - 12);
    if (month == 12 || s.p[11] != ' ' || !take_number(&day, 2, ' ', 31, &tm.tm_mday) ||
        !take_number(&rest, 4, ' ', 9999, &year) || !take_number(&rest, 2, ':', 23, &tm.tm_hour) ||
        !take_number(&rest, 2, ':', 59, &tm.tm_min) || !take_number(&rest, 2, ' ', 60, &tm.tm_sec) ||
        !str_eq(rest, STR("GMT")) || tm.tm_mday < 1 || tm.tm_mday > days_in_month(year, (int)month + 1))
        return -EINVAL;
    tm.tm_year = year - 1900;
    tm.tm_mon = (int)month;
    *ret_wall_s = (int64_t)timegm(&tm);
    return 0;
}
