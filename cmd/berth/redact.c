/* SPDX-License-Identifier: MIT */
#include "redact.h"

#include <stdbool.h>
#include <string.h>

#define VALUE_MIN        8 /* bytes: a shorter value of the environment may be a word of any text */
#define SECRET_VALUE_MIN 3 /* the same, if the variable's name promises a secret */
#define NAME_ALONE_MIN   5 /* a shorter user or host name is only replaced as a word of its own */

#define SECRET_NAMES                                                                               \
    "passw(?:or)?d|passwd|passphrase|pwd|secret|token|credential|api[-_]?key|access[-_]?key|"      \
    "private[-_]?key|auth|cookie|bearer|session[-_]?id"

struct Redact {
    GPtrArray *rules; /* Rule *, in the order in which they apply */
};

typedef struct {
    GRegex *regex;
    char *replacement; /* of GRegex: \1 is the first group */
} Rule;

static void rule_free(gpointer data)
{
    Rule *rule = data;
    g_regex_unref(rule->regex);
    g_free(rule->replacement);
    g_free(rule);
}

static void add_rule(Redact *redact, const char *pattern, const char *replacement)
{
    Rule *rule = g_new(Rule, 1);
    rule->regex = g_regex_new(pattern, G_REGEX_OPTIMIZE | G_REGEX_CASELESS | G_REGEX_MULTILINE,
                              G_REGEX_MATCH_NEWLINE_LF, NULL);
    rule->replacement = g_strdup(replacement);
    g_assert(rule->regex != NULL);
    g_ptr_array_add(redact->rules, rule);
}

/* --- what is private whoever has it --- */

typedef struct {
    const char *pattern, *replacement;
} Pattern;

/* Before the literals, which could cut them. */
static const Pattern before[] = {
    /* Terminal sequences: CSI, OSC up to its end, others of two bytes. */
    {"\\x1b\\[[0-?]*[ -/]*[@-~]", ""},
    {"\\x1b\\][^\\x07\\x1b\\n]*(?:\\x07|\\x1b\\\\)?", ""},
    {"\\x1b[ -/]*[0-~]", ""},
    {"[^\\P{Cc}\\n\\t]", ""},
    {"-----BEGIN (?:[^-\\n]*)-----[^-]*(?:-----END [^-\\n]*-----)?", "KEY-REDACTED"},
    {"\\b([a-z][a-z0-9+.-]*)://[^\\s\"'<>]+", "\\1://REDACTED"},
};

/* After them. */
static const Pattern after[] = {
    {"(/home/)[^/\\s\"':]+", "\\1USER"},
    {"\\b(authorization|proxy-authorization|cookie|set-cookie)(\"?\\s*[:=]\\s*)[^\\n]+",
     "\\1\\2REDACTED"},
    {"\\b(bearer|basic)\\s+[a-z0-9._~+/=-]{8,}", "\\1 REDACTED"},
    {"([a-z0-9_.-]*(?:" SECRET_NAMES ")[a-z0-9_.-]*\"?\\s*[:=]\\s*)(\"(?:[^\"\\\\\\n]|\\\\.)*\"|"
     "'[^'\\n]*'|[^\\s\"',;]+)",
     "\\1REDACTED"},
    {"((?:--?)(?:[a-z0-9-]*(?:" SECRET_NAMES ")[a-z0-9-]*)\\s+)[^\\s\"']+", "\\1REDACTED"},
    {"(?-i)\\b([A-Z][A-Z0-9_]+=)(\"[^\"\\n]*\"|'[^'\\n]*'|[^\\s\"']+)", "\\1REDACTED"},
    {"(?-i)\\b(?:gh[opusr]_|github_pat_|glpat-|xox[a-z]-|sk-|pk-|hf_|npm_|pypi-|dckr_pat_|AKIA|"
     "ASIA|"
     "AIza|eyJ)[A-Za-z0-9_.=-]{8,}",
     "TOKEN-REDACTED"},
    {"[a-z0-9._%+-]+@(?![a-z0-9.-]*\\.(?:service|socket|slice|mount|device|target|timer|scope|swap|"
     "path)\\b)[a-z0-9-]+(?:\\.[a-z0-9-]+)+",
     "EMAIL-REDACTED"},
    {"(?<![\\w.])(?!(?:127\\.|10\\.0\\.2\\.|0\\.0\\.0\\.0|198\\.19\\.))(?:[0-9]{1,3}\\.){3}[0-9]{1,"
     "3}(?![\\w]|\\.[0-9])",
     "ADDRESS"},
    {"(?<![\\w:])(?:(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){"
     "1,6})(?![\\w:])",
     "ADDRESS"},
    {"(?-i)(?<![A-Za-z0-9+/=_-])(?=[A-Za-z0-9+/_-]*[0-9])(?=[A-Za-z0-9+/_-]*[a-z])(?=[A-Za-z0-9+/_"
     "-]*[A-Z])[A-Za-z0-9+/_-]{40,}={0,2}",
     "LONG-WORD-REDACTED"},
    {"(?<![a-z0-9_])(?=[a-z_]*[0-9])(?=[0-9_]*[a-z])[a-z0-9_]{20,}(?![a-z0-9_])",
     "LONG-WORD-REDACTED"},
};

static void add_patterns(Redact *redact, const Pattern *patterns, gsize count)
{
    for (gsize i = 0; i < count; i++)
        add_rule(redact, patterns[i].pattern, patterns[i].replacement);
}

/* --- what is private of this user --- */

/* Replace @text wherever it is; as a word of its own if @is_word. */
static void add_literal(Redact *redact, const char *text, bool is_word, const char *replacement)
{
    g_autofree char *escaped = g_regex_escape_string(text, -1);
    g_autofree char *pattern =
        g_strdup_printf(is_word ? "(?<![a-z0-9])%s(?![a-z0-9])" : "%s", escaped);
    add_rule(redact, pattern, replacement);
}

/* Of a path below the home only berth's own directories stay. */
static void add_home(Redact *redact, const char *home)
{
    static const char path[] = "(?:(?!  |: |, )[^\"\\n\\t)])*";
    if (home == NULL || home[0] != '/' || home[1] == '\0')
        return;
    g_autofree char *escaped = g_regex_escape_string(home, -1);
    g_autofree char *own =
        g_strdup_printf("%s(/\\.(?:local/share|config|cache)/berth)(?![^/\\s\":),])", escaped);
    g_autofree char *other = g_strdup_printf("%s/%s", escaped, path);
    g_autofree char *alone = g_strdup_printf("%s(?![\\w.-])", escaped);
    add_rule(redact, own, "~\\1");
    add_rule(redact, other, "~/REDACTED");
    add_rule(redact, alone, "~");
}

static void add_name(Redact *redact, const char *name, const char *replacement)
{
    static const char *const ordinary[] = {"root", "localhost", "Unknown", "berth", "", NULL};
    if (name != NULL && !g_strv_contains(ordinary, name))
        add_literal(redact, name, strlen(name) < NAME_ALONE_MIN, replacement);
}

static void add_host(Redact *redact, const char *host)
{
    if (host == NULL)
        return;
    g_autofree char *label = g_strndup(host, strcspn(host, "."));
    add_name(redact, host, "HOST");
    add_name(redact, label, "HOST");
}

typedef struct {
    char *text, *replacement;
    bool is_word;
} Value;

static void value_free(gpointer data)
{
    Value *value = data;
    g_free(value->text);
    g_free(value->replacement);
    g_free(value);
}

static int by_length(gconstpointer a, gconstpointer b)
{
    gsize left = strlen((*(Value *const *)a)->text);
    gsize right = strlen((*(Value *const *)b)->text);
    return left == right ? 0 : left < right ? 1 : -1;
}

static void add_value(GPtrArray *values, const char *name, const char *text)
{
    g_autoptr(GRegex) secret = g_regex_new(SECRET_NAMES "|key", G_REGEX_CASELESS, 0, NULL);
    gsize least = g_regex_match(secret, name, 0, NULL) ? SECRET_VALUE_MIN : VALUE_MIN;
    if (strlen(text) < least)
        return;
    Value *value = g_new(Value, 1);
    value->text = g_utf8_make_valid(text, -1);
    value->replacement = g_strdup_printf("$%s", name);
    value->is_word = strlen(text) < VALUE_MIN;
    g_ptr_array_add(values, value);
}

/* Add each line of the variable's value as it is and as JSON has it. */
static void add_variable(GPtrArray *values, const char *variable)
{
    g_auto(GStrv) parts = g_strsplit(variable, "=", 2);
    if (parts[0] == NULL || parts[1] == NULL || !g_regex_match_simple("^\\w+$", parts[0], 0, 0))
        return;
    g_auto(GStrv) lines = g_strsplit(parts[1], "\n", -1);
    for (gsize i = 0; lines[i] != NULL; i++) {
        g_auto(GStrv) slashes = g_strsplit(lines[i], "\\", -1);
        g_autofree char *doubled = g_strjoinv("\\\\", slashes);
        g_auto(GStrv) quotes = g_strsplit(doubled, "\"", -1);
        g_autofree char *json = g_strjoinv("\\\"", quotes);
        add_value(values, parts[0], lines[i]);
        if (strcmp(json, lines[i]) != 0)
            add_value(values, parts[0], json);
    }
}

/* The longest first: one value may be a part of another. */
static void add_environment(Redact *redact, const char *const *environment)
{
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(value_free);
    for (gsize i = 0; environment != NULL && environment[i] != NULL; i++)
        add_variable(values, environment[i]);
    g_ptr_array_sort(values, by_length);
    for (guint i = 0; i < values->len; i++) {
        const Value *value = values->pdata[i];
        add_literal(redact, value->text, value->is_word, value->replacement);
    }
}

Redact *redact_new(const RedactKnown *known)
{
    Redact *redact = g_new(Redact, 1);
    redact->rules = g_ptr_array_new_with_free_func(rule_free);
    add_patterns(redact, before, G_N_ELEMENTS(before));
    add_home(redact, known->home);
    add_environment(redact, known->environment);
    add_name(redact, known->real_name, "NAME");
    add_name(redact, known->user, "USER");
    add_host(redact, known->host);
    add_patterns(redact, after, G_N_ELEMENTS(after));
    return redact;
}

void redact_free(Redact *redact)
{
    if (redact == NULL)
        return;
    g_ptr_array_unref(redact->rules);
    g_free(redact);
}

/* --- the text --- */

static gboolean replace(const GMatchInfo *match, GString *result, gpointer user_data)
{
    const Rule *rule = ((gpointer *)user_data)[0];
    guint *count = ((gpointer *)user_data)[1];
    g_autofree char *text = g_match_info_expand_references(match, rule->replacement, NULL);
    g_string_append(result, text);
    *count += rule->replacement[0] != '\0';
    return FALSE;
}

/* A text that the engine gives up on is left out as a whole. */
static char *apply(const Rule *rule, const char *text, guint *count)
{
    gpointer data[] = {(gpointer)rule, count};
    char *result = g_regex_replace_eval(rule->regex, text, -1, 0, 0, replace, data, NULL);
    return result != NULL ? result : g_strdup("REDACTED\n");
}

char *redact_text(const Redact *redact, const char *text, guint *ret_count)
{
    guint count = 0;
    char *result = g_utf8_make_valid(text, -1);
    for (guint i = 0; i < redact->rules->len; i++) {
        g_autofree char *former = result;
        result = apply(redact->rules->pdata[i], former, &count);
    }
    if (ret_count != NULL)
        *ret_count += count;
    return result;
}
