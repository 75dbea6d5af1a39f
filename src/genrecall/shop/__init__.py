"""A synthetic shop with catalog, shoppers and search log, to try everything on without any data.

```
config.py      how large the shop is and how its shoppers behave
assortment/    what it sells: departments, groups and product types, with invented brands
traits.py      what a product type is made of; the words of the assortment files
units.py       how people and titles spell "18 V"
catalog.py     all items of the shop               titles.py   what their titles say
products.py    making products and variants
intent.py      what a shopper can want; relevance
queries.py     the words they put it in           typos.py    how they mistype it
shoppers.py    taste, interests, attraction        engine.py   the search engine that the shop has
browsing.py    how shoppers read what is shown     oracle.py   what clicks to expect at most
log.py         searches, impressions, clicks, purchases
make.py        the whole shop in memory
write.py       everything as files in the table layout
```

This file imports nothing, so that reading a config stays light.
"""
