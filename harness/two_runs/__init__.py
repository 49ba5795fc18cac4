"""Has it become slower: two runs beside each other, before and after a change.

`command` compares two run folders by a block bootstrap over their seconds, or keeps a baseline.
"""
