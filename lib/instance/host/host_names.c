/* SPDX-License-Identifier: MIT */
#include "host_names.h"

#include "host_file.h"

#include "wire/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#define DOMAIN_MAX 253u

struct BerthHostNames {
    BerthHostFile *resolv_conf;
    BerthHostFile *hosts_file;
    char *search;
    char *hosts;
    BerthHostNamesLeftOut left_out;
    void (*on_change)(gpointer user_data);
    gpointer user_data;
};

static bool is_name(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
    return *text != '\0' && strlen(text) <= DOMAIN_MAX && strspn(text, plain) == strlen(text);
}

/* The words of @line before a comment. Free with g_strfreev. */
static GStrv split_words(const char *line)
{
    g_autofree char *text = g_strndup(line, strcspn(line, "#\r"));
    g_strdelimit(text, "\t", ' ');
    return g_strsplit(g_strstrip(text), " ", -1);
}

/* Append those of @words that are valid names to @list, at most @max bytes. Returns the number of
 * names from the first on that does not fit. */
static guint append_names(GString *list, const GStrv words, gsize max)
{
    guint left_out = 0;
    for (char **word = words; *word != NULL; word++) {
        if (!is_name(*word))
            continue;
        if (left_out > 0 || list->len + strlen(*word) + 1 > max)
            left_out++;
        else
            g_string_append_printf(list, "%s%s", list->len > 0 ? " " : "", *word);
    }
    return left_out;
}

/* The last "search" or "domain" line wins: resolv.conf(5). *@ret_left_out is the number of domains
 * that did not fit. */
static char *parse_search(const char *text, guint *ret_left_out)
{
    *ret_left_out = 0;
    g_autoptr(GString) list = g_string_new(NULL);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        g_auto(GStrv) words = split_words(*line);
        if (g_strcmp0(words[0], "search") != 0 && g_strcmp0(words[0], "domain") != 0)
            continue;
        g_string_truncate(list, 0);
        *ret_left_out = append_names(list, words + 1, WIRE_SEARCH_MAX);
    }
    return g_string_free(g_steal_pointer(&list), FALSE);
}

/* Whether the address @text means the same machine for a guest. */
static bool is_shared_address(const char *text)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, text, &v4) == 1) {
        guint32 address = ntohl(v4.s_addr);
        return address >> 24 != 0 && address >> 24 != IN_LOOPBACKNET && address >> 16 != 0xa9fe &&
               address < 0xe0000000;
    }
    return inet_pton(AF_INET6, text, &v6) == 1 && !IN6_IS_ADDR_UNSPECIFIED(&v6) &&
           !IN6_IS_ADDR_LOOPBACK(&v6) && !IN6_IS_ADDR_LINKLOCAL(&v6) && !IN6_IS_ADDR_MULTICAST(&v6);
}

/* *@ret_left_out is the number of lines that did not fit. */
static char *parse_hosts(const char *text, guint *ret_left_out)
{
    guint left_out = 0;
    g_autoptr(GString) list = g_string_new(NULL);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        g_autoptr(GString) names = g_string_new(NULL);
        g_auto(GStrv) words = split_words(*line);
        if (words[0] == NULL || !is_shared_address(words[0]))
            continue;
        append_names(names, words + 1, G_MAXSIZE);
        if (names->len == 0)
            continue;
        bool fits = list->len + strlen(words[0]) + names->len + 2 <= WIRE_NAMES_MAX;
        if (left_out > 0 || !fits)
            left_out++;
        else
            g_string_append_printf(list, "%s %s\n", words[0], names->str);
    }
    *ret_left_out = left_out;
    return g_string_free(g_steal_pointer(&list), FALSE);
}

/* True when the value changed. */
static bool assign(char **to, char *text)
{
    bool changed = g_strcmp0(*to, text) != 0;
    g_free(*to);
    *to = text;
    return changed;
}

static bool read_both(BerthHostNames *names)
{
    bool search = assign(&names->search, parse_search(berth_host_file_text(names->resolv_conf),
                                                      &names->left_out.domains));
    bool hosts = assign(&names->hosts, parse_hosts(berth_host_file_text(names->hosts_file),
                                                   &names->left_out.lines));
    return search || hosts;
}

static void on_file(gpointer user_data)
{
    BerthHostNames *names = user_data;
    if (read_both(names))
        names->on_change(names->user_data);
}

BerthHostNames *berth_host_names_new(const char *resolv_conf, const char *hosts,
                                     void (*on_change)(gpointer user_data), gpointer user_data)
{
    BerthHostNames *names = g_new0(BerthHostNames, 1);
    names->on_change = on_change;
    names->user_data = user_data;
    names->resolv_conf = berth_host_file_new(resolv_conf, on_file, names);
    names->hosts_file = berth_host_file_new(hosts, on_file, names);
    read_both(names);
    return names;
}

void berth_host_names_free(BerthHostNames *names)
{
    if (names == NULL)
        return;
    berth_host_file_free(names->resolv_conf);
    berth_host_file_free(names->hosts_file);
    g_free(names->search);
    g_free(names->hosts);
    g_free(names);
}

const char *berth_host_names_search(const BerthHostNames *names)
{
    return names->search;
}

const char *berth_host_names_hosts(const BerthHostNames *names)
{
    return names->hosts;
}

BerthHostNamesLeftOut berth_host_names_left_out(const BerthHostNames *names)
{
    return names->left_out;
}
