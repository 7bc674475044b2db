#include "rules.h"

#include "verdict.h"

const char *rules_state_text(const struct slab *s)
{
    switch (s->state) {
    case SLAB_UNSEEN: return "not seen yet";
    case SLAB_HELD: return "held by somebody";
    case SLAB_UNUSED: return "UNUSED";
    case SLAB_ACTIVE: return "ACTIVE";
    case SLAB_PUBLISHED: return "published";
    case SLAB_VISITED: return "ACTIVE, adopted outside an acquire";
    case SLAB_EMPTY: return "EMPTY and not yet released";
    case SLAB_LISTED: return "EMPTY on the stage-1 list";
    case SLAB_UNLISTED: return "EMPTY on no list";
    case SLAB_LEGACY: return "of the legacy backend";
    }
    return "?";
}

/* Which stages may take a slab in this state, and with which class. */
static void check_source(struct machine *m, struct slab *s, const struct hak_ev_slab_active *e)
{
    const struct life *l = &s->life;
    bool same = e->cls == l->cls;
    unsigned stage = e->stage;

    switch (s->state) {
    case SLAB_UNUSED:
        if (stage != HAK_STAGE_2 && stage != HAK_STAGE_3)
            complain(m, ABOUT_SLAB(s), "stage_source", "STAGE_2 or STAGE_3: the slab is UNUSED");
        break;
    case SLAB_LISTED:
        if (stage != (same ? HAK_STAGE_1 : HAK_REBIND))
            complain(m, ABOUT_SLAB(s), "stage_source",
                     "%s: the slab is EMPTY on the stage-1 list of C%u",
                     same ? "STAGE_1" : "REBIND", l->cls);
        break;
    case SLAB_UNLISTED:
        if (stage != HAK_STAGE_0_5 || !same)
            complain(m, ABOUT_SLAB(s), "stage_source",
                     "STAGE_0_5 for C%u: the slab is EMPTY on no list", l->cls);
        break;
    case SLAB_EMPTY:
        complain(m, ABOUT_SLAB(s), "not_released", "slab_release before others can have it");
        break;
    case SLAB_LEGACY:
        complain(m, ABOUT_SLAB(s), "legacy_slab", "no slab_* event: it is outside the pool");
        break;
    case SLAB_UNSEEN: break;
    default:
        complain(m, ABOUT_SLAB(s), "acquired_twice",
                 "a slab that nobody has, but it is %s (owner %u)", rules_state_text(s), s->owner);
    }
}

void rules_active(struct machine *m, struct slab *s, const struct hak_ev_slab_active *e)
{
    const struct life *l = &s->life;
    bool unseen = s->state == SLAB_UNSEEN;
    bool fresh = s->state == SLAB_UNUSED || e->stage == HAK_STAGE_2 || e->stage == HAK_STAGE_3;
    uint32_t gen = s->state == SLAB_UNUSED || unseen ? 1 : l->gen + 1;
    uint32_t from = fresh ? e->cls : l->cls;

    check_source(m, s, e);
    if ((!unseen || fresh) && e->gen != gen)
        complain(m, ABOUT_SLAB(s), "generation", "gen=%u", gen);
    if ((!unseen || fresh) && e->from_cls != from)
        complain(m, ABOUT_SLAB(s), "bound_class", "from_cls=%u", from);
}

bool rules_life(struct machine *m, struct slab *s, struct said e)
{
    if (s->life.gen != e.gen)
        complain(m, ABOUT_SLAB(s), "generation", "gen=%u", s->life.gen);
    else if (s->life.cls != e.cls)
        complain(m, ABOUT_SLAB(s), "class", "cls=%u", s->life.cls);
    else
        return true;
    return false;
}

bool rules_state(struct machine *m, struct slab *s, enum slab_state state, const char *rule,
                 const char *what)
{
    if (s->state == state)
        return true;
    complain(m, ABOUT_SLAB(s), rule, "%s, but it is %s", what, rules_state_text(s));
    return false;
}

static void check_owner(struct machine *m, struct slab *s, uint32_t owner)
{
    if (s->owner != owner)
        complain(m, ABOUT_SLAB(s), "not_owner", "owner=%u", s->owner);
}

void rules_owned(struct machine *m, struct slab *s, struct said e, uint32_t owner)
{
    if (s->state == SLAB_UNSEEN || s->state == SLAB_HELD)
        return;
    if (s->state == SLAB_LEGACY && owner == OWNER_LEGACY)
        return;
    if ((s->state == SLAB_VISITED ||
         rules_state(m, s, SLAB_ACTIVE, "not_active", "an ACTIVE slab")) &&
        rules_life(m, s, e))
        check_owner(m, s, owner);
}
