#include "program.h"

#include <string>

int main(void)
{
    std::string *s = new std::string(100, 'x');

    delete s;
    sink = s->size() > 0;
    new std::string(200, 'y');
    return 0;
}
