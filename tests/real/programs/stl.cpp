// operator new in all its forms, containers, exceptions and threads that share ownership.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <future>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

struct alignas(128) Wide {
    char bytes[256];
};

std::uint32_t next(std::uint32_t &s)
{
    return s = s * 1664525u + 1013904223u;
}

std::size_t containers()
{
    std::map<std::string, std::vector<int>> tree;
    std::unordered_map<int, std::shared_ptr<std::string>> table;
    std::list<std::deque<std::string>> nested(20);
    std::uint32_t s = 42;

    for (int i = 0; i < 100000; i++) {
        int k = static_cast<int>(next(s) >> 16) % 5000;
        tree["key " + std::to_string(k)].push_back(i);
        table[k] = std::make_shared<std::string>(static_cast<std::size_t>(k % 300), 'x');
        auto &d = *std::next(nested.begin(), k % 20);
        d.push_back(std::to_string(i));
        if (d.size() > 500)
            d.pop_front();
    }
    std::size_t sum = 0;
    for (auto &[name, list] : tree)
        sum += name.size() * list.size();
    for (auto &[k, text] : table)
        sum += text->size();
    for (auto &d : nested)
        sum += d.front().size();
    return sum;
}

int exceptions()
{
    int caught = 0;

    for (int i = 0; i < 5000; i++) {
        try {
            std::vector<std::string> local(10, std::string(100, 'e'));
            if (i % 2)
                throw std::runtime_error("error number " + std::to_string(i));
            local.at(10);
        } catch (const std::exception &e) {
            caught += std::string(e.what()).size() > 0;
        }
    }
    std::size_t volatile huge = SIZE_MAX / 2;
    try {
        delete[] new char[huge];
    } catch (const std::bad_alloc &) {
        caught += 1000;
    }
    return caught + (new (std::nothrow) char[huge] == nullptr);
}

bool alignment()
{
    bool good = true;
    std::vector<std::unique_ptr<Wide>> wide;

    for (int i = 0; i < 500; i++) {
        wide.push_back(std::make_unique<Wide>());
        good = good && reinterpret_cast<std::uintptr_t>(wide.back().get()) % 128 == 0;
    }
    void *p = ::operator new(1000, std::align_val_t{4096});
    good = good && reinterpret_cast<std::uintptr_t>(p) % 4096 == 0;
    ::operator delete(p, std::align_val_t{4096});
    return good;
}

long threads()
{
    std::mutex lock;
    std::vector<std::shared_ptr<std::vector<int>>> shared;
    std::vector<std::thread> workers;
    std::atomic<long> sum{0};

    for (int t = 0; t < 6; t++)
        workers.emplace_back([&, t] {
            std::uint32_t s = static_cast<std::uint32_t>(t);
            for (int i = 0; i < 5000; i++) {
                auto mine = std::make_shared<std::vector<int>>(next(s) % 200, t);
                std::shared_ptr<std::vector<int>> theirs;
                {
                    std::lock_guard<std::mutex> held(lock);
                    if (shared.size() > 100) {
                        theirs = std::move(shared[next(s) % 100]);
                        shared.erase(shared.begin() + (next(s) % 100));
                    }
                    shared.push_back(std::move(mine));
                }
                sum += 1 + (theirs && theirs->size() > 200);
            }
        });
    for (auto &w : workers)
        w.join();
    auto later = std::async(std::launch::async, [] { return std::string(100000, 'a').size(); });
    return sum + static_cast<long>(later.get());
}

} // namespace

int main()
{
    std::ostringstream text;
    std::regex number("[0-9]+");

    for (int i = 0; i < 3000; i++)
        text << "item" << i << ' ';
    std::string all = text.str();
    std::cout << containers() << '\n' << exceptions() << '\n' << alignment() << '\n'
              << threads() << '\n' << std::regex_replace(all, number, "#").size() << '\n';
    return 0;
}
