/* SPDX-License-Identifier: MIT */
#include "due.h"

void due_take_earlier(Due *due, const Due *other)
{
    if (other->sec != 0 && (due->sec == 0 || other->sec < due->sec))
        *due = *other;
}
