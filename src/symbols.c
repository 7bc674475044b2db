#include "symbols.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

struct object {
    uintptr_t base;
    const ElfW(Sym) * symbols;
    const char *strings;
    const uint32_t *gnu_hash, *hash;
    const char *soname;
};

/* The loader has added the object's base to the addresses of most dynamic sections, and not where
 * the section cannot be written. */
static const void *at(const struct object *o, ElfW(Addr) address)
{
    return (const void *)(address < o->base ? o->base + address : address);
}

static void read_dynamic(struct object *o, const ElfW(Dyn) * dynamic)
{
    ElfW(Xword) soname = 0;

    for (const ElfW(Dyn) *d = dynamic; d->d_tag != DT_NULL; d++) {
        switch (d->d_tag) {
        case DT_SYMTAB: o->symbols = at(o, d->d_un.d_ptr); break;
        case DT_STRTAB: o->strings = at(o, d->d_un.d_ptr); break;
        case DT_GNU_HASH: o->gnu_hash = at(o, d->d_un.d_ptr); break;
        case DT_HASH: o->hash = at(o, d->d_un.d_ptr); break;
        case DT_SONAME: soname = d->d_un.d_val; break;
        default: break;
        }
    }
    o->soname = o->strings && soname ? o->strings + soname : "";
}

/* The address of symbol number i if that is the function `name`. */
static void *matches(const struct object *o, uint32_t i, const char *name)
{
    const ElfW(Sym) *s = &o->symbols[i];

    if (s->st_shndx == SHN_UNDEF || ELF64_ST_TYPE(s->st_info) != STT_FUNC ||
        strcmp(o->strings + s->st_name, name) != 0)
        return NULL;
    return (void *)(o->base + s->st_value);
}

static void *find_by_gnu_hash(const struct object *o, const char *name)
{
    const uint32_t *h = o->gnu_hash;
    uint32_t buckets = h[0], first = h[1], words = h[2], hash = 5381;
    const uint32_t *bucket = h + 4 + words * (sizeof(ElfW(Addr)) / sizeof(*h));
    const uint32_t *chain = bucket + buckets;

    for (const char *c = name; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    if (!buckets || bucket[hash % buckets] < first)
        return NULL;
    for (uint32_t i = bucket[hash % buckets];; i++) {
        uint32_t entry = chain[i - first];
        void *found = (entry | 1) == (hash | 1) ? matches(o, i, name) : NULL;

        if (found || (entry & 1))
            return found;
    }
}

static void *find(const struct object *o, const char *name)
{
    if (!o->symbols || !o->strings)
        return NULL;
    if (o->gnu_hash)
        return find_by_gnu_hash(o, name);
    for (uint32_t i = 0; o->hash && i < o->hash[1]; i++) {
        void *found = matches(o, i, name);

        if (found)
            return found;
    }
    return NULL;
}

void *symbols_vdso(const char *name)
{
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)getauxval(AT_SYSINFO_EHDR);
    const ElfW(Phdr) * part;
    const ElfW(Dyn) *dynamic = NULL;
    struct object o = {0};
    bool loaded = false;

    if (!header)
        return NULL;
    part = (const ElfW(Phdr) *)((uintptr_t)header + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++) {
        if (part[i].p_type == PT_LOAD && !loaded) {
            o.base = (uintptr_t)header + part[i].p_offset - part[i].p_vaddr;
            loaded = true;
        } else if (part[i].p_type == PT_DYNAMIC) {
            dynamic = (const ElfW(Dyn) *)((uintptr_t)header + part[i].p_offset);
        }
    }
    if (!loaded || !dynamic)
        return NULL;
    read_dynamic(&o, dynamic);
    return find(&o, name);
}

void *symbols_beside(const void *address, const char *soname, const char *name)
{
    struct dl_find_object there;
    struct link_map *m;

    if (_dl_find_object((void *)(uintptr_t)address, &there) != 0)
        return NULL;
    /* The objects of this namespace, in the order in which they were loaded: those that the
     * process began with come first and stay. */
    for (m = there.dlfo_link_map; m->l_prev;)
        m = m->l_prev;
    for (; m; m = m->l_next) {
        struct object o = {.base = m->l_addr};

        if (!m->l_ld)
            continue;
        read_dynamic(&o, m->l_ld);
        if (strcmp(o.soname, soname) == 0)
            return find(&o, name);
    }
    return NULL;
}

void *symbols_libc(const char *name)
{
    return symbols_beside((const void *)(uintptr_t)symbols_libc, "libc.so.6", name);
}
