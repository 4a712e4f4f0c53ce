/* Quantities of resources as Kubernetes writes them: "100m", "1.5Gi", "2e3", 4. */
#ifndef FED_QUANTITY_H
#define FED_QUANTITY_H

#include "base/buf.h"
#include "json/json.h"

/* The value of `text` times `scale` (1, or 1000 for thousandths), rounded up away from zero; what does not fit becomes INT64_MAX or
 * INT64_MIN. Suffixes n u m "" k M G T P E, Ki Mi Gi Ti Pi Ei, and exponents e3 E-3; a sign is allowed. -EINVAL: no quantity;
 * *ret is untouched then. */
int fed_quantity_parse(struct str text, int64_t scale, int64_t *ret);
/* The same of a JSON value: a string, or a number (integer or not). -EINVAL for other types. */
int fed_quantity_read(yyjson_val *v, int64_t scale, int64_t *ret);

/* Appends thousandths in the form that Kubernetes gives a CPU: 1500 is "1500m", 2000 is "2". */
void fed_quantity_add_milli(struct buf *out, int64_t milli);
/* Appends bytes with the largest binary suffix that loses nothing: 1073741824 is "1Gi", 1000 is "1000". */
void fed_quantity_add_bytes(struct buf *out, int64_t bytes);

#endif
