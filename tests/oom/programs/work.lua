-- What programs in Lua do with memory: work.lua WHAT. Says when half of it is over and when all is,
-- and waits for a line each time.
local kept, count = {}, 0

-- At least, on a busy machine too.
local STEPS = 25

local function for_seconds(seconds, step)
    local finish, steps = os.time() + seconds, 0
    while os.time() < finish or steps < STEPS do
        step()
        steps = steps + 1
        os.execute('sleep 0.2')
    end
end

local function tables(n)
    for i = 1, n do
        local one = {name = 'table ' .. i, i, i + 1}
    end
end

local works = {}

function works.events()
    for_seconds(6, function()
        for _ = 1, 6000 do
            count = count + 1
            kept[count] = {name = 'event ' .. count, text = string.rep('x', 50) .. count}
        end
        tables(10000)
    end)
end

function works.garbage()
    for_seconds(3, function() tables(20000) end)
end

for _, word in ipairs {'half', 'done'} do
    works[arg[1]]()
    print(word)
    io.stdout:flush()
    io.read()
end
