"""Coins and change."""

COINS = (200, 100, 50, 20, 10, 5, 2, 1)


def change_for(cents: int, coins: tuple[int, ...] = COINS) -> dict[int, int]:
    """How many of each coin, largest first; ValueError when it does not come out even."""
    if cents < 0:
        raise ValueError("amount is negative")
    result = {}
    for coin in sorted(coins, reverse=True):
        count, cents = divmod(cents, coin)
        if count > 0:
            result[coin] = count
    if cents > 0:
        raise ValueError(f"{cents} left over")
    return result


def fewest_coins(cents: int, coins: tuple[int, ...] = COINS) -> int | None:
    """Smallest number of coins for an amount, or None when it cannot be paid."""
    best: list[int | None] = [0]
    for amount in range(1, cents + 1):
        options = []
        for coin in coins:
            if coin <= amount:
                before = best[amount - coin]
                if before is not None:
                    options.append(before + 1)
        best.append(min(options) if options else None)
    return best[cents]


def count_ways(cents: int, coins: tuple[int, ...] = COINS) -> int:
    """Number of different handfuls of coins that make the amount."""
    ways = [1] + [0] * cents
    for coin in coins:
        for amount in range(coin, cents + 1):
            ways[amount] += ways[amount - coin]
    return ways[cents]
