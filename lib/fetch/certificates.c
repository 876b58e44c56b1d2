/* SPDX-License-Identifier: MIT */
#include "certificates.h"

#include <curl/curl.h>

/* Where distributions keep the bundle; libcurl knows its own build's place only. */
static const char *const places[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Arch */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora */
    "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
};

static GBytes *read_bundle(const char *path)
{
    char *text = NULL;
    gsize size = 0;
    if (path == NULL || !g_file_get_contents(path, &text, &size, NULL))
        return NULL;
    return g_bytes_new_take(text, size);
}

GBytes *berth_fetch_certificates_read(void)
{
    const char *own = g_getenv("SSL_CERT_FILE");
    if (own != NULL && own[0] != '\0')
        return read_bundle(own);
    GBytes *bundle = read_bundle(curl_version_info(CURLVERSION_NOW)->cainfo);
    for (gsize i = 0; bundle == NULL && i < G_N_ELEMENTS(places); i++)
        bundle = read_bundle(places[i]);
    return bundle;
}
