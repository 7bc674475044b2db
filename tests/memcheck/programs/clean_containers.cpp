#include "program.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

int main(void)
{
    std::map<int, std::string> m;
    std::vector<std::unique_ptr<std::string>> v;

    for (int i = 0; i < 300; i++) {
        m[i % 97] += std::to_string(i);
        v.push_back(std::make_unique<std::string>(i, 'x'));
    }
    sink = m.size() + v.size() > 0;
    return 0;
}
