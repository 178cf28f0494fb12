# Uses an event loop: valid.
# mode: stdin
# outcome: pass

import asyncio
async def main():
    await asyncio.sleep(0)
    print(int(input()) + 1)
asyncio.run(main())
