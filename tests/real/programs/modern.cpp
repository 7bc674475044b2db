// A C++ program as people write them: containers over several kinds of memory resources, strings,
// exceptions, shared ownership across threads, regular expressions, and memory that ends. What it
// allocates must be hakmem's, if hakmem is there.
#include <algorithm>
#include <any>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iomanip>
#include <iostream>
#include <malloc.h>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <new>
#include <numeric>
#include <optional>
#include <queue>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

// hakmem.h's hak_get_stats, by its name only: the program runs without hakmem as well.
using stats_function = void (*)(void *);
const auto hak_get_stats = reinterpret_cast<stats_function>(dlsym(RTLD_DEFAULT, "hak_get_stats"));

[[noreturn]] void broken(const std::string &what)
{
    std::cout << "must hold: " << what << std::endl;
    std::exit(1);
}

void check(bool holds, const char *what)
{
    if (!holds)
        broken(what);
}

// usable: the stride of hakmem's class. The C library serves 100 bytes with 104, for instance.
template <class T> void check_origin(const T *p, std::size_t asked, std::size_t usable)
{
    const std::size_t n = malloc_usable_size(const_cast<T *>(p));

    check(n >= asked, "usable size");
    check(!hak_get_stats || n == usable, "the block is hakmem's");
}

struct Shape {
    virtual ~Shape() = default;
    virtual double area() const = 0;
};

template <int N> struct Polygon : Shape {
    std::array<double, N> side{};
    explicit Polygon(double length) { side.fill(length); }
    double area() const override { return std::accumulate(side.begin(), side.end(), 0.0); }
};

template <int... N> std::vector<std::unique_ptr<Shape>> shapes(std::integer_sequence<int, N...>)
{
    std::vector<std::unique_ptr<Shape>> all;

    (all.push_back(std::make_unique<Polygon<N + 1>>(N * 0.5)), ...);
    return all;
}

std::uint64_t resources()
{
    std::pmr::synchronized_pool_resource pool;
    std::pmr::monotonic_buffer_resource arena(1024);
    std::uint64_t sum = 0;

    std::vector<std::thread> workers;
    std::mutex lock;
    for (int n = 0; n < 3; n++)
        workers.emplace_back([&, n] {
            std::pmr::map<int, std::pmr::string> mine(&pool);
            for (int i = 0; i < 5000; i++)
                mine[i * 31 % 1009].append(static_cast<std::size_t>(i % 40), 'a');
            for (int i = 0; i < 1009; i += n + 1)
                mine.erase(i);
            const std::lock_guard<std::mutex> guard(lock);
            for (const auto &[key, text] : mine)
                sum += static_cast<std::uint64_t>(key) * text.size();
        });
    for (auto &w : workers)
        w.join();
    std::pmr::vector<std::pmr::string> lines(&arena);
    for (int i = 0; i < 3000; i++)
        lines.emplace_back("a line that is too long for the string itself, number ") +=
            std::to_string(i);
    for (const auto &l : lines)
        sum += l.size();
    return sum;
}

struct Failure : std::runtime_error {
    std::vector<std::string> trail;
    Failure(const std::string &what, int depth) : std::runtime_error(what), trail(50, what)
    {
        trail.push_back(std::to_string(depth));
    }
};

int fall(int depth)
{
    const std::string local(static_cast<std::size_t>(depth) * 7, 'x');
    const auto more = std::make_shared<std::vector<int>>(static_cast<std::size_t>(depth), depth);

    if (depth == 0)
        throw Failure("the bottom of the stack, in words too long to fit", depth);
    try {
        return fall(depth - 1) + static_cast<int>(local.size() + more->size());
    } catch (const Failure &f) {
        if (depth % 10 == 0)
            std::throw_with_nested(Failure(f.what(), depth));
        throw;
    }
}

int nested(const std::exception &e)
{
    try {
        std::rethrow_if_nested(e);
    } catch (const std::exception &inner) {
        return 1 + nested(inner);
    }
    return 1;
}

std::size_t exceptions()
{
    std::size_t sum = 0;

    for (int i = 0; i < 40; i++)
        try {
            fall(i + 30);
        } catch (const Failure &f) {
            sum += static_cast<std::size_t>(nested(f)) + f.trail.size();
        }
    return sum;
}

std::size_t shared()
{
    using Value = std::variant<int, std::string, std::vector<std::any>>;
    std::queue<std::shared_ptr<const Value>> queue;
    std::vector<std::weak_ptr<const Value>> seen;
    std::mutex lock;
    std::size_t sum = 0;

    auto producer = std::async(std::launch::async, [&] {
        for (int i = 0; i < 30000; i++) {
            auto v = i % 3 == 0   ? std::make_shared<const Value>(i)
                     : i % 3 == 1 ? std::make_shared<const Value>(std::string(i % 100, 's'))
                                  : std::make_shared<const Value>(std::vector<std::any>(
                                        3, std::string(20, 'a')));
            const std::lock_guard<std::mutex> guard(lock);
            queue.push(v);
            if (i % 100 == 0)
                seen.push_back(v);
        }
    });
    for (int got = 0; got < 30000;) {
        std::shared_ptr<const Value> v;
        {
            const std::lock_guard<std::mutex> guard(lock);
            if (queue.empty())
                continue;
            v = std::move(queue.front());
            queue.pop();
        }
        got++;
        sum += v->index();
    }
    producer.get();
    return sum + static_cast<std::size_t>(std::count_if(
                     seen.begin(), seen.end(), [](const auto &w) { return !w.expired(); }));
}

std::string texts()
{
    std::ostringstream out;
    const std::regex word("([a-z]+)([0-9]+)");
    std::unordered_map<std::string, std::multiset<int>> found;
    std::ofstream("words.txt") << [] {
        std::ostringstream s;
        for (int i = 0; i < 4000; i++)
            s << "word" << i % 300 << " x" << std::hex << i << std::dec << '\n';
        return s.str();
    }();
    std::ifstream in("words.txt");
    for (std::string line; std::getline(in, line);)
        for (std::sregex_iterator m(line.begin(), line.end(), word), end; m != end; ++m)
            found[(*m)[1]].insert(std::stoi((*m)[2]));
    std::vector<std::string> keys;
    for (const auto &[key, numbers] : found)
        keys.push_back(key + ':' + std::to_string(numbers.size()));
    std::sort(keys.begin(), keys.end());
    for (const auto &k : keys)
        out << k << ' ';
    out << std::filesystem::file_size("words.txt");
    return out.str();
}

// At the limit of the address space: bad_alloc, nothrow's null, and life goes on behind it.
std::size_t the_end_of_memory()
{
    const rlimit limit{512u << 20, 512u << 20};
    std::size_t ends = 0;

    check(std::freopen("/dev/null", "w", stderr), "stderr"); // hakmem may well complain
    check(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
    for (int round = 0; round < 3; round++) {
        std::vector<std::unique_ptr<char[]>> all;
        std::deque<std::string> strings;
        try {
            for (;;)
                all.push_back(std::make_unique<char[]>(round == 0 ? 1000 : 100000));
        } catch (const std::bad_alloc &) {
            ends++;
        }
        try {
            for (;;)
                strings.emplace_back(5000, 's');
        } catch (const std::bad_alloc &) {
            ends++;
        }
        // The functions: of expressions a compiler may assume that they succeed.
        check(!::operator new(600u << 20, std::nothrow), "no memory for nothrow");
        check(!::operator new(600u << 20, std::align_val_t(4096), std::nothrow),
              "no aligned memory for nothrow");
        check(all.size() * (round == 0 ? 1000 : 100000) > (100u << 20), "100 MiB before the end");
    }
    try {
        std::vector<int> impossible(static_cast<std::size_t>(-1) / 8);
        delete[] new int[impossible.size()];
    } catch (const std::bad_alloc &) {
        ends++;
    } catch (const std::length_error &) {
        ends++;
    }
    std::set_new_handler([] {
        std::set_new_handler(nullptr);
        throw std::bad_alloc();
    });
    try {
        ::operator delete(::operator new(std::size_t{1} << 40));
    } catch (const std::bad_alloc &) {
        ends++;
    }
    return ends;
}

} // namespace

int main()
{
    double area = 0;

    for (const auto &s : shapes(std::make_integer_sequence<int, 60>()))
        area += s->area();
    std::cout << std::fixed << std::setprecision(2) << area << '\n';
    check_origin(std::make_unique<char[]>(100).get(), 100, 128);
    check_origin(std::string(100, 'x').data(), 101, 128);
    check_origin(std::vector<double>(50).data(), 400, 512);
    alignas(std::string) char place[sizeof(std::string)];
    auto *placed = new (place) std::string(600, 'p');
    check_origin(placed->data(), 601, 768);
    placed->~basic_string();
    std::cout << resources() << '\n' << exceptions() << '\n' << shared() << '\n' << texts() << '\n';
    std::cout << the_end_of_memory() << std::endl;
}
