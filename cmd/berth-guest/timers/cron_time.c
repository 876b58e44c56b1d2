/* SPDX-License-Identifier: MIT */
#include "cron_time.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define DAY_SEC  86400
#define STEP_MAX 1000u
#define FIELDS   5
#define SKIP_SEC (25 * 3600) /* more than any zone has left out at once */

/* ---- parsing ---- */

typedef struct {
    unsigned min;
    unsigned max;
    const char *names; /* of three letters each, from min on; or NULL */
} Field;

static const Field fields[FIELDS] = {
    {0, 59, NULL},
    {0, 23, NULL},
    {1, 31, NULL},
    {1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {0, 7, "sunmontuewedthufrisat"},
};

/* fields' indices. */
enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY };

static const struct {
    const char *word;
    const char *fields;
} words[] = {
    {"yearly", "0 0 1 1 *"}, {"annually", "0 0 1 1 *"}, {"monthly", "0 0 1 * *"},
    {"weekly", "0 0 * * 0"}, {"daily", "0 0 * * *"},    {"midnight", "0 0 * * *"},
    {"hourly", "0 * * * *"},
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void skip_blanks(const char **text)
{
    while (is_blank(**text))
        (*text)++;
}

static bool read_number(const char **text, unsigned max, unsigned *ret_number)
{
    unsigned number = 0;
    if (!is_digit(**text))
        return false;
    for (; is_digit(**text); (*text)++) {
        number = number * 10 + (unsigned)(**text - '0');
        if (number > max)
            return false;
    }
    *ret_number = number;
    return true;
}

/* The first three letters count: "Monday", too. */
static bool read_name(const char **text, const Field *field, unsigned *ret_number)
{
    for (unsigned i = 0; field->names != NULL && field->names[(size_t)3 * i] != '\0'; i++) {
        if (strncasecmp(*text, field->names + (size_t)3 * i, 3) != 0)
            continue;
        while (is_letter(**text))
            (*text)++;
        *ret_number = field->min + i;
        return true;
    }
    return false;
}

static bool read_value(const char **text, const Field *field, unsigned *ret_value)
{
    return read_name(text, field, ret_value) ||
           (read_number(text, field->max, ret_value) && *ret_value >= field->min);
}

/* "*", "A", "A-B", and each with "/STEP"; "A~B" is cronie's, a random one of them. A range may go
 * past the end, as busybox has it. */
static bool read_item(const char **text, const Field *field, uint64_t *bits)
{
    unsigned first = field->min, last = field->max, step = 1;
    if (**text == '*' || **text == '?') {
        (*text)++;
    } else {
        if (!read_value(text, field, &first))
            return false;
        bool is_range = **text == '-' || **text == '~';
        if (is_range)
            (*text)++;
        if (is_range && !read_value(text, field, &last))
            return false;
        if (!is_range && **text != '/')
            last = first;
    }
    if (**text == '/') {
        (*text)++;
        if (!read_number(text, STEP_MAX, &step) || step == 0)
            return false;
    }
    unsigned size = field->max - field->min + 1;
    unsigned span = last >= first ? last - first : last + size - first;
    for (unsigned at = 0; at <= span; at += step)
        *bits |= 1ull << (field->min + (first - field->min + at) % size);
    return true;
}

static bool read_field(const char **text, const Field *field, uint64_t *ret_bits, bool *ret_star)
{
    uint64_t bits = 0;
    skip_blanks(text);
    *ret_star = **text == '*' || **text == '?';
    while (read_item(text, field, &bits)) {
        if (**text == ',') {
            (*text)++;
            continue;
        }
        *ret_bits = bits;
        return **text == '\0' || is_blank(**text);
    }
    return false;
}

/* cron(5): if both fields of days are restricted, either is enough. Vixie's takes "*" at the
 * beginning, as in an asterisk with a step, for unrestricted; busybox asks whether it has all
 * days. */
static bool is_either(const bool *stars, uint32_t days, uint32_t weekdays)
{
    bool all_days = days == 0xfffffffe, all_weekdays = weekdays == 0x7f;
    return (!stars[DAY] && !stars[WEEKDAY]) || (!all_days && !all_weekdays);
}

static bool read_fields(const char **text, CronTime *ret_time)
{
    uint64_t bits[FIELDS];
    bool stars[FIELDS];
    for (size_t i = 0; i < FIELDS; i++)
        if (!read_field(text, &fields[i], &bits[i], &stars[i]))
            return false;
    uint32_t days = (uint32_t)bits[DAY];
    uint32_t weekdays = (uint32_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f); /* 7 is 0 */
    *ret_time = (CronTime){
        .minutes = bits[MINUTE],
        .hours = (uint32_t)bits[HOUR],
        .days = days,
        .months = (uint32_t)bits[MONTH],
        .weekdays = weekdays,
        .either_day = is_either(stars, days, weekdays),
    };
    return true;
}

bool cron_time_parse(const char **text, CronTime *ret_time)
{
    skip_blanks(text);
    if (**text == '-') /* cronie: do not log it */
        (*text)++;
    if (**text != '@')
        return read_fields(text, ret_time);
    const char *word = *text + 1;
    size_t size = strcspn(word, " \t");
    *text = word + size;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const char *same = words[i].fields;
        if (strlen(words[i].word) == size && strncmp(words[i].word, word, size) == 0)
            return read_fields(&same, ret_time);
    }
    return false;
}

/* ---- the next time ---- */

/* A day of the calendar. */
typedef struct {
    int64_t start; /* its midnight as if the zone were UTC */
    int year;
    unsigned month;
    unsigned day;
    unsigned weekday;
} Day;

static unsigned days_of_month(int year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static void advance(Day *day)
{
    day->start += DAY_SEC;
    day->weekday = (day->weekday + 1) % 7;
    if (++day->day <= days_of_month(day->year, day->month))
        return;
    day->day = 1;
    if (++day->month <= 12)
        return;
    day->month = 1;
    day->year++;
}

static bool has_day(const CronTime *cron, const Day *day)
{
    bool in_month = (cron->days >> day->day & 1) != 0;
    bool in_week = (cron->weekdays >> day->weekday & 1) != 0;
    return (cron->months >> day->month & 1) != 0 &&
           (cron->either_day ? in_month || in_week : in_month && in_week);
}

/* Seconds east of UTC at @time. */
static int64_t offset_at(int64_t time)
{
    time_t at = (time_t)time;
    struct tm local;
    return localtime_r(&at, &local) != NULL ? local.tm_gmtoff : 0;
}

/* The clock went from before @local to after it at once: find when. @before and @after are the
 * offsets around. */
static int64_t find_skip(int64_t local, int64_t before, int64_t after)
{
    int64_t low = local - after - 1, high = local - before;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (offset_at(middle) + middle < local)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* The first time after @after at which clocks show @local, seconds since 1970 as if the zone were
 * UTC; -1: none. */
static int64_t find_instant(int64_t local, int64_t after)
{
    int64_t offsets[] = {offset_at(local - SKIP_SEC), offset_at(local + SKIP_SEC)};
    int64_t earlier = local - (offsets[0] > offsets[1] ? offsets[0] : offsets[1]);
    int64_t later = local - (offsets[0] > offsets[1] ? offsets[1] : offsets[0]);
    bool is_earlier = offset_at(earlier) + earlier == local;
    bool is_later = offset_at(later) + later == local;
    if (is_earlier && earlier > after)
        return earlier;
    if (is_later && later > after)
        return later;
    if (is_earlier || is_later)
        return -1;
    int64_t skip = find_skip(local, offsets[0], offsets[1]);
    return skip > after ? skip : -1;
}

/* @from is the first hour to look at. */
static int64_t find_on_day(const CronTime *cron, const Day *day, unsigned from, int64_t after)
{
    for (unsigned hour = from; hour < 24; hour++) {
        if ((cron->hours >> hour & 1) == 0)
            continue;
        int64_t found = -1;
        for (unsigned minute = 0; minute < 60; minute++) {
            if ((cron->minutes >> minute & 1) == 0)
                continue;
            int64_t at = find_instant(day->start + hour * 3600 + minute * 60, after);
            if (at >= 0 && (found < 0 || at < found))
                found = at;
        }
        if (found >= 0)
            return found;
    }
    return -1;
}

time_t cron_time_next(const CronTime *cron, time_t after, time_t until)
{
    struct tm local;
    if (localtime_r(&after, &local) == NULL)
        return -1;
    int64_t now = (int64_t)after + local.tm_gmtoff;
    Day day = {
        .start = now - local.tm_hour * 3600 - local.tm_min * 60 - local.tm_sec,
        .year = local.tm_year + 1900,
        .month = (unsigned)local.tm_mon + 1,
        .day = (unsigned)local.tm_mday,
        .weekday = (unsigned)local.tm_wday,
    };
    unsigned from = local.tm_hour > 2 ? (unsigned)local.tm_hour - 2 : 0; /* clocks may go back */
    for (; day.start <= (int64_t)until + SKIP_SEC; advance(&day), from = 0) {
        int64_t found = has_day(cron, &day) ? find_on_day(cron, &day, from, after) : -1;
        if (found >= 0)
            return found <= until ? (time_t)found : -1;
    }
    return -1;
}
