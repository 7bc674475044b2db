// Every form of operator new and delete finds its way to malloc and free, and so to the allocator
// that is preloaded.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <malloc.h>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

static bool preloaded;

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    std::printf("must hold: %s\n", what);
    std::exit(1);
}

// p has size bytes at a multiple of align, and stride of them if hakmem serves it.
template <class T> static T *look(T *p, std::size_t size, std::size_t stride, std::size_t align = 16)
{
    std::memset(static_cast<void *>(p), 0x5a, size);
    check(reinterpret_cast<std::uintptr_t>(p) % align == 0, "alignment");
    check(malloc_usable_size(p) >= size, "size");
    check(!preloaded || malloc_usable_size(p) == stride, "served by a size class");
    return p;
}

struct alignas(64) Line {
    char bytes[100];
};

struct Plain {
    char bytes[200];
    ~Plain() { bytes[0] = 1; }
};

struct Throws {
    char bytes[200];
    Throws() { throw 1; }
};

static void operators()
{
    const std::align_val_t to64{64}, to1024{1024};

    ::operator delete(look(::operator new(200), 200, 256));
    ::operator delete(look(::operator new(200), 200, 256), std::size_t{200});
    ::operator delete(look(::operator new(200, std::nothrow), 200, 256), std::nothrow);
    ::operator delete[](look(::operator new[](200), 200, 256));
    ::operator delete[](look(::operator new[](200), 200, 256), std::size_t{200});
    ::operator delete[](look(::operator new[](200, std::nothrow), 200, 256), std::nothrow);
    ::operator delete(look(::operator new(200, to64), 200, 256, 64), to64);
    ::operator delete(look(::operator new(200, to64), 200, 256, 64), std::size_t{200}, to64);
    ::operator delete(look(::operator new(200, to64, std::nothrow), 200, 256, 64), to64,
                      std::nothrow);
    ::operator delete[](look(::operator new[](200, to64), 200, 256, 64), to64);
    ::operator delete[](look(::operator new[](200, to64), 200, 256, 64), std::size_t{200}, to64);
    ::operator delete[](look(::operator new[](200, to64, std::nothrow), 200, 256, 64), to64,
                        std::nothrow);
    ::operator delete(look(::operator new(900, to1024), 900, 1024, 1024), to1024);
    ::operator delete(nullptr);
    check(::operator new(SIZE_MAX / 2, std::nothrow) == nullptr, "nothrow gives null");
    try {
        ::operator delete(::operator new(SIZE_MAX / 2));
        check(false, "bad_alloc is thrown");
    } catch (const std::bad_alloc &) {
    }
}

static void expressions()
{
    delete look(new Line, sizeof(Line), 128, 64);
    delete[] new Line[10];
    delete look(new Plain, sizeof(Plain), 256);
    delete[] new Plain[10];
    delete new (std::nothrow) Plain;
    try {
        delete new Throws;
        check(false, "the constructor throws");
    } catch (int) {
        // The block was freed by the expression.
    }
    {
        auto shared = std::make_shared<Plain>();
        std::weak_ptr<Plain> weak = shared;
        shared.reset();
        check(weak.expired(), "expired");
    }
    std::vector<std::string> strings;
    for (int i = 0; i < 20000; i++)
        strings.push_back(std::string(static_cast<std::size_t>(i % 300), 'x'));
    std::thread([&] { strings.clear(); strings.shrink_to_fit(); }).join();
}

int main()
{
    preloaded = dlsym(RTLD_DEFAULT, "hak_version") != nullptr;
    for (int i = 0; i < 100; i++) {
        operators();
        expressions();
    }
    std::puts("all forms");
    return 0;
}
