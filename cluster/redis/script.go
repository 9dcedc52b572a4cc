package redis

import "github.com/redis/go-redis/v9"

// Each script touches the keys of one tag only, and runs as one step on the
// server. An entry is the JSON text that encode makes. Tokens, and the numbers of
// eras, are hexadecimal at full width: the order of the texts is theirs.

// marked begins scripts that need the era: whether the tag has its mark, written
// by this very server process.
const marked = `
local function marked(key, era)
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  return redis.call('GET', key) == era .. ' ' .. run
end
local function token(value)
  return cjson.decode(value).token
end
`

var (
	// claimScript: KEYS mark, counter, entries; ARGV era, field, token to claim
	// over or "", what of the entry comes before its token, its term, and what
	// comes behind.
	claimScript = redis.NewScript(marked + `
if not marked(KEYS[1], ARGV[1]) then return {'era'} end
local there = redis.call('HGET', KEYS[3], ARGV[2])
if there and token(there) ~= ARGV[3] then return {'claimed', there} end
local seq = redis.call('INCR', KEYS[2])
local value = ARGV[4] .. ARGV[5] .. '.' .. string.format('%016x', seq) .. ARGV[6]
redis.call('HSET', KEYS[3], ARGV[2], value)
return {'done', value}
`)

	// releaseScript: KEYS entries; ARGV field, token.
	releaseScript = redis.NewScript(`
local there = redis.call('HGET', KEYS[1], ARGV[1])
if there and cjson.decode(there).token == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
return {'done'}
`)

	// restoreScript: KEYS mark, entries; ARGV era, then field, token and value of
	// each.
	restoreScript = redis.NewScript(marked + restoreText)

	// removeScript: KEYS entries; ARGV member.
	removeScript = redis.NewScript(removeText)

	// stampScript: KEYS mark, counter; ARGV number of the era, era.
	stampScript = redis.NewScript(`
local mark = redis.call('GET', KEYS[1])
if mark and string.sub(mark, 1, 16) >= ARGV[1] then return {'done'} end
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
redis.call('SET', KEYS[1], ARGV[2] .. ' ' .. run)
redis.call('SET', KEYS[2], 0)
return {'done'}
`)

	// eraScript: KEYS record; ARGV the four fields as they were, and as they are
	// to be.
	eraScript = redis.NewScript(eraRecordText)
)

//nolint:dupword // Lua closes each block by the word end
const (
	restoreText = `
if not marked(KEYS[1], ARGV[1]) then return {'era'} end
local kept = {'done'}
for i = 2, #ARGV, 3 do
  local there = redis.call('HGET', KEYS[2], ARGV[i])
  if there and token(there) > ARGV[i + 1] then
    kept[#kept + 1] = ARGV[i]
    kept[#kept + 1] = there
  else
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2])
  end
end
return kept
`
	removeText = `
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if cjson.decode(all[i + 1]).member == ARGV[1] then redis.call('HDEL', KEYS[1], all[i]) end
end
return {'done'}
`
	eraRecordText = `
local there = redis.call('HMGET', KEYS[1], 'era', 'incarnation', 'open', 'joined')
for i = 1, 4 do
  if (there[i] or '') ~= ARGV[i] then return {'era'} end
end
redis.call('HSET', KEYS[1], 'era', ARGV[5], 'incarnation', ARGV[6], 'open', ARGV[7], 'joined', ARGV[8])
return {'done'}
`
)
