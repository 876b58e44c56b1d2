/* SPDX-License-Identifier: MIT */
#include "ssh_key_format.h"

#include <stdbool.h>
#include <string.h>

#define BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
#define END   "-----END OPENSSH PRIVATE KEY-----"
#define MAGIC "openssh-key-v1" /* with its NUL */
#define TYPE  "ssh-ed25519"

#define PUBLIC_SIZE  32
#define PRIVATE_SIZE 64 /* the seed and the public key: the same in both programs */

/* A field of what is left; NULL when it is not all there. */
typedef struct {
    const guint8 *next;
    gsize left;
    bool failed;
} Reader;

static const guint8 *read_bytes(Reader *reader, gsize size)
{
    if (reader->failed || reader->left < size) {
        reader->failed = true;
        return NULL;
    }
    const guint8 *bytes = reader->next;
    reader->next += size;
    reader->left -= size;
    return bytes;
}

static guint32 read_u32(Reader *reader)
{
    const guint8 *bytes = read_bytes(reader, sizeof(guint32));
    guint32 value = 0;
    if (bytes != NULL)
        memcpy(&value, bytes, sizeof(value));
    return GUINT32_FROM_BE(value);
}

/* A string of @size bytes; NULL, and a failure, for one of another size. */
static const guint8 *read_string(Reader *reader, gsize size)
{
    reader->failed = read_u32(reader) != size || reader->failed;
    return read_bytes(reader, size);
}

static void expect(Reader *reader, const char *text)
{
    const guint8 *bytes = read_string(reader, strlen(text));
    if (bytes == NULL || memcmp(bytes, text, strlen(text)) != 0)
        reader->failed = true;
}

/* The bytes between the lines; free with g_free. NULL: there are none. */
static guint8 *decode(const char *text, gsize *ret_size)
{
    const char *begin = strstr(text, BEGIN);
    const char *end = begin != NULL ? strstr(begin, END) : NULL;
    if (end == NULL)
        return NULL;
    begin += strlen(BEGIN);
    g_autofree char *middle = g_strndup(begin, (gsize)(end - begin));
    return g_base64_decode(middle, ret_size);
}

/* Source: the file PROTOCOL.key of OpenSSH. */
static const guint8 *find_private(Reader *reader)
{
    const guint8 *magic = read_bytes(reader, sizeof(MAGIC));
    if (magic == NULL || memcmp(magic, MAGIC, sizeof(MAGIC)) != 0)
        return NULL;
    expect(reader, "none"); /* cipher */
    expect(reader, "none"); /* key derivation */
    expect(reader, "");
    reader->failed = read_u32(reader) != 1 || reader->failed; /* keys */
    read_bytes(reader, read_u32(reader));                     /* the public one */
    read_u32(reader);                                         /* length of the private part */
    reader->failed = read_u32(reader) != read_u32(reader) || reader->failed;
    expect(reader, TYPE);
    read_string(reader, PUBLIC_SIZE);
    return read_string(reader, PRIVATE_SIZE);
}

static void add_string(GByteArray *bytes, gconstpointer data, guint32 size)
{
    guint32 length = GUINT32_TO_BE(size);
    g_byte_array_append(bytes, (const guint8 *)&length, sizeof(length));
    g_byte_array_append(bytes, data, size);
}

static char *to_hex(const GByteArray *bytes)
{
    GString *digits = g_string_new(NULL);
    for (guint i = 0; i < bytes->len; i++)
        g_string_append_printf(digits, "%02x", bytes->data[i]);
    return g_string_free(digits, FALSE);
}

char *berth_ssh_key_for_dropbear(const char *text)
{
    Reader reader = {0};
    g_autofree guint8 *bytes = decode(text, &reader.left);
    reader.next = bytes;
    const guint8 *private_key = bytes != NULL ? find_private(&reader) : NULL;
    if (private_key == NULL)
        return NULL;
    g_autoptr(GByteArray) key = g_byte_array_new();
    add_string(key, TYPE, strlen(TYPE));
    add_string(key, private_key, PRIVATE_SIZE);
    return to_hex(key);
}
