/* SPDX-License-Identifier: MIT */
#include "resolv.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#define PORT_DNS 53u

/* Split "ADDRESS", "ADDRESS:PORT" (IPv4) or "[ADDRESS]:PORT": cuts @text at the address's end and
 * returns the port's digits or NULL. */
static const char *split_port(char *text, char **ret_address)
{
    *ret_address = text;
    if (*text == '[') {
        char *end = strchr(text, ']');
        if (end == NULL || end[1] != ':')
            return "";
        *end = '\0';
        *ret_address = text + 1;
        return end + 2;
    }
    char *colon = strchr(text, ':');
    if (colon == NULL || strchr(colon + 1, ':') != NULL)
        return NULL;
    *colon = '\0';
    return colon + 1;
}

static bool parse_port(const char *digits, guint16 *ret_port)
{
    guint64 port = PORT_DNS;
    if (digits != NULL && !g_ascii_string_to_unsigned(digits, 10, 1, G_MAXUINT16, &port, NULL))
        return false;
    *ret_port = (guint16)port;
    return true;
}

static bool parse_address(char *text, BerthResolver *resolver)
{
    if (inet_pton(AF_INET, text, resolver->address) == 1) {
        resolver->family = 4;
        return true;
    }
    char *zone = strchr(text, '%');
    if (zone != NULL) {
        *zone = '\0';
        guint64 number;
        resolver->scope = if_nametoindex(zone + 1);
        if (resolver->scope == 0 &&
            g_ascii_string_to_unsigned(zone + 1, 10, 1, G_MAXUINT32, &number, NULL))
            resolver->scope = (guint32)number;
    }
    resolver->family = 6;
    return inet_pton(AF_INET6, text, resolver->address) == 1;
}

static bool parse_line(char *line, BerthResolver *ret_resolver)
{
    static const char keyword[] = "nameserver";
    *ret_resolver = (BerthResolver){0};
    if (strncmp(line, keyword, strlen(keyword)) != 0)
        return false;
    char *text = line + strlen(keyword);
    if (!g_ascii_isspace(*text))
        return false;
    text = g_strchug(text);
    text[strcspn(text, " \t\r")] = '\0';

    char *address;
    const char *port = split_port(text, &address);
    return parse_port(port, &ret_resolver->port) && parse_address(address, ret_resolver);
}

BerthResolvers berth_resolv_parse(const char *text)
{
    BerthResolvers resolvers = {0};
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL && resolvers.count < BERTH_RESOLVERS_MAX; line++)
        if (parse_line(*line, &resolvers.list[resolvers.count]))
            resolvers.count++;
    for (guint i = resolvers.count; i < BERTH_RESOLVERS_MAX; i++)
        resolvers.list[i] = (BerthResolver){0}; /* remains of a skipped line */
    return resolvers;
}

socklen_t berth_resolver_address(const BerthResolver *resolver,
                                 struct sockaddr_storage *ret_address)
{
    *ret_address = (struct sockaddr_storage){0};
    if (resolver->family == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(resolver->port);
        memcpy(&v4->sin_addr, resolver->address, 4);
        return sizeof(*v4);
    }
    if (resolver->family == 6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(resolver->port);
        v6->sin6_scope_id = resolver->scope;
        memcpy(&v6->sin6_addr, resolver->address, 16);
        return sizeof(*v6);
    }
    return 0;
}
