/* Counts the values of a text before anything is made of them. */
#include "json/count.h"

/* Behind the string that begins at i. */
static size_t skip_string(struct str text, size_t i)
{
    for (i++; i < text.n && text.p[i] != '"'; i++)
        if (text.p[i] == '\\')
            i++;
    return i + 1;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A value stands at the front, behind a comma or a colon, or behind a bracket that is not closed at once; keys too. */
size_t json_count_values(struct str text)
{
    size_t n = 0;
    bool expected = true;

    for (size_t i = 0; i < text.n;) {
        char c = text.p[i];

        if (!is_space(c)) {
            n += expected && c != ']' && c != '}';
            expected = c == ',' || c == ':' || c == '[' || c == '{';
        }
        i = c == '"' ? skip_string(text, i) : i + 1;
    }
    return n;
}
