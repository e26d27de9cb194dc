"""`WITH mv AS MODEL m VERSION v SELECT mv!F(a)`: an alias for a model version, which sqlglot has no grammar for."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType

STARTS = ("WITH", ",")


def expand(tokens: list[Token]) -> list[Token]:
    """The statement with every alias written out as MODEL(m, v), and without the clauses that defined them."""
    aliases: dict[str, list[Token]] = {}
    while (found := _definition(tokens)) is not None:
        start, end, model, version = found
        aliases[_folded(tokens[start])] = _reference(tokens[start], model, version)
        tokens = _without(tokens, start, end)
    if not aliases:
        return tokens
    out: list[Token] = []
    for i, token in enumerate(tokens):
        is_call = i + 1 < len(tokens) and tokens[i + 1].text == "!"
        out += aliases.get(_folded(token), [token]) if is_call else [token]
    return out


def _definition(tokens: list[Token]) -> tuple[int, int, list[Token], list[Token]] | None:
    """The first `alias AS MODEL name [VERSION v]`: from where, to where, and its two names."""
    for i in range(1, len(tokens) - 3):
        words = [token.text.upper() for token in tokens[i + 1 : i + 3]]
        if words != ["AS", "MODEL"] or tokens[i - 1].text.upper() not in STARTS or tokens[i + 3].text == "(":
            continue
        end = i + 4
        while end + 1 < len(tokens) and tokens[end].text == ".":
            end += 2
        model, version = tokens[i + 3 : end], list[Token]()
        if end + 1 < len(tokens) and tokens[end].text.upper() == "VERSION":
            version, end = [tokens[end + 1]], end + 2
        return i, end, model, version
    return None


def _without(tokens: list[Token], start: int, end: int) -> list[Token]:
    """The tokens without one definition, its comma, and the WITH that nothing is left of."""
    if end < len(tokens) and tokens[end].text == ",":
        return tokens[:start] + tokens[end + 1 :]
    return tokens[: start - 1] + tokens[end:]


def _folded(token: Token) -> str:
    return token.text if token.token_type == TokenType.IDENTIFIER else token.text.upper()


def _reference(at: Token, model: list[Token], version: list[Token]) -> list[Token]:
    def made(kind: TokenType, text: str) -> Token:
        return Token(kind, text, at.line, at.col, at.start, at.end)

    given = [made(TokenType.COMMA, ","), *version] if version else []
    head = [made(TokenType.VAR, "MODEL"), made(TokenType.L_PAREN, "(")]
    return [*head, *model, *given, made(TokenType.R_PAREN, ")")]
