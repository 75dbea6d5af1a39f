"""What shops call our columns: in English, German, French, Spanish, Italian, Dutch and Polish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_LISTS: Final = (
    *("", "ids", "items", "itemids", "products", "productids", "skus", "asins"),
    *("id", "item", "itemid", "product", "productid", "sku", "asin"),
)


def _lists(*stems: str) -> tuple[str, ...]:
    """Names of a list of items, such as `clicked`, `clicked_ids` and `clicked_sku`."""
    return tuple(stem + ending for stem in stems for ending in _LISTS)


def _words(*lines: str) -> tuple[str, ...]:
    """Names of several languages, each once."""
    return tuple(dict.fromkeys(word for line in lines for word in line.split()))


_ITEM: Final = _words(
    "sku productid productuid asin articleid skuid productsku productcode itemcode",
    "artikelnummer artikelnr artnr artikelid produktnummer produktid bestellnummer",
    "reference refproduit idproduit codearticle codeproduit",
    "referencia idproducto codigo codigoproducto idarticulo",
    "codice codiceprodotto codicearticolo idprodotto riferimento",
    "productnummer artikelcode",
    "kodproduktu idproduktu numerproduktu symbol indeks kod",
)
_USER: Final = _words(
    "user customerid customer shopperid visitorid",
    "kunde kundennummer kundennr kundenid nutzer nutzerid benutzer benutzerid",
    "client idclient utilisateur",
    "cliente idcliente usuario idusuario",
    "utente idutente",
    "klant klantnummer klantid gebruiker",
    "klient idklienta uzytkownik",
)
_QUERY: Final = _words(
    "searchterm searchquery querytext searchtext q keywords keyword",
    "suchbegriff suchanfrage suchwort suchtext anfrage",
    "requete recherche termederecherche motcle motscles",
    "consulta busqueda terminodebusqueda palabraclave",
    "ricerca terminediricerca parolachiave",
    "zoekterm zoekopdracht zoekwoord",
    "zapytanie fraza szukanafraza haslo",
)

COUNTS: Final = _words(
    "stock stockquantity stockqty stocklevel quantity qty inventory inventoryquantity",
    "bestand lagerbestand lagermenge stockdisponible existencias",
    "giacenza voorraad stanmagazynowy",
)
"""Of how many there are, which tell what is available where nothing says it more plainly."""

SYNONYMS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "items": {
        "item_id": (*_ITEM, "id"),
        "title": _words(
            "name productname producttitle itemname itemtitle displayname",
            "titel bezeichnung artikelbezeichnung produktname artikelname produkttitel",
            "titre nom nomproduit nomduproduit designation libelle intitule",
            "titulo nombre nombreproducto nombredelproducto",
            "titolo nome nomeprodotto nomedelprodotto",
            "naam productnaam artikelnaam",
            "nazwa nazwaproduktu tytul",
        ),
        "category": _words(
            "categorypath categories categoryhierarchy productcategory breadcrumbs producttype",
            "kategorie kategorien kategoriepfad produktkategorie warengruppe rubrik",
            "categorie categorieproduit rayon",
            "categoria categorias",
            "categoriaprodotto reparto",
            "categorieen productgroep artikelgroep",
            "kategoria sciezkakategorii grupa",
        ),
        "brand": _words(
            "manufacturer brandname productbrand maker vendor",
            "marke hersteller herstellername",
            "marque fabricant",
            "marca fabricante",
            "produttore",
            "merk fabrikant",
            "marka producent",
        ),
        "attributes": ("attrs",),
        "description": _words(
            "productdescription longdescription fulldescription itemdescription",
            "beschreibung produktbeschreibung artikelbeschreibung langbeschreibung langtext",
            "descriptionproduit descriptionlongue",
            "descripcion descripciondelproducto",
            "descrizione descrizioneprodotto",
            "omschrijving beschrijving productomschrijving",
            "opis opisproduktu",
        ),
        # The price that a product has without an offer; the cells of an offer are often empty.
        "price": _words(
            "regularprice currentprice unitprice productprice listprice sellingprice saleprice",
            "preis verkaufspreis bruttopreis preisbrutto normalpreis regularerpreis "
            "regulaererpreis angebotspreis",
            "prix prixttc prixdevente prixregulier tarifregulier tarif",
            "precio precioventa precionormal preciodeventa pvp",
            "prezzo prezzodivendita prezzodilistino",
            "prijs verkoopprijs normaleprijs reguliereprijs",
            "cena cenabrutto cenasprzedazy",
        ),
        "score": _words(
            "popularity efficiency",
            "beliebtheit popularitat popularite popularidad popolarita populariteit popularnosc",
        ),
        "available": _words(
            "instock isavailable availability stockstatus",
            "verfugbar verfuegbar verfugbarkeit verfuegbarkeit vorratig vorraetig lieferbar",
            "auflager lagerstatus",
            "disponible disponibilite enstock",
            "disponibilidad enexistencias",
            "disponibile disponibilita",
            "beschikbaar beschikbaarheid opvoorraad",
            "dostepny dostepne dostepnosc nastanie",
            *COUNTS,
        ),
        "group_id": _words(
            "itemgroupid parentid parentsku parentasin productgroup parent",
            "hauptartikel vaterartikel variantengruppe",
            "produitparent idparent",
            "productopadre idpadre",
            "prodottopadre",
            "hoofdproduct",
            "produktglowny idnadrzedne",
        ),
        "updated_at": _words(
            "listedat lastmodified modifiedat lastupdated",
            "geandertam geaendertam aktualisiertam eingestelltam anlagedatum",
            "datedemiseajour datemaj datedajout",
            "fechadeactualizacion fechadealta",
            "dataaggiornamento",
            "laatstgewijzigd gewijzigdop",
            "dataaktualizacji datadodania",
        ),
    },
    "searches": {
        "query": _QUERY,
        "timestamp": _words(
            "ts time datetime date searchedat eventtime createdat",
            "zeitpunkt zeitstempel zeit datum uhrzeit",
            "horodatage dateheure heure",
            "fechahora fecha hora",
            "dataora data ora",
            "tijdstip tijd",
            "datagodzina dataczas czas",
        ),
        "user_id": _USER,
        "impressions": _words(
            " ".join(_lists("shown", "impression", "displayed")),
            "angezeigt gezeigt angezeigteartikel affiches produitsaffiches mostrados mostrati",
            "visualizzati getoond wyswietlone pokazane",
        ),
        "clicks": _words(
            " ".join(_lists("clicked", "click")),
            "angeklickt geklickt klicks angeklickteartikel clics cliques produitscliques clicados",
            "cliccati clic geklikt aangeklikt kliks klikniete klikniecia",
        ),
        "purchases": _words(
            " ".join(_lists("bought", "purchased", "purchase", "ordered")),
            "gekauft bestellt kaufe kaeufe gekaufteartikel achetes achats commandes comprados",
            "compras acquistati acquisti gekocht besteld aankopen kupione zakupy zamowione",
        ),
        "filters": _words(
            "filter facets facetfilters activefilters appliedfilters selectedfilters searchfilters",
            "filterkriterien aktivefilter gesetztefilter facetten filtres facettes",
            "filtros facetas filtri faccette filtry",
        ),
    },
    "users": {
        "user_id": (*_USER, "id"),
        "gender": _words("sex geschlecht sexe sexo genero sesso genere geslacht plec"),
        "age_band": _words(
            "agegroup agebucket agerange age",
            "altersgruppe alter trancheage trancheedage edad fasciadeta eta",
            "leeftijdsgroep leeftijd grupawiekowa wiek",
        ),
        "attributes": ("attrs",),
    },
    "judgments": {
        "query": _QUERY,
        "item_id": _ITEM,
        "relevance": _words(
            "grade rating label judgment judgement gain score",
            "relevanz bewertung pertinence note relevancia valoracion rilevanza relevantie",
            "beoordeling trafnosc ocena",
        ),
    },
}
"""Other names of our columns by table, the likeliest first, as `columns.match_columns` reads them:
without letter case, accents and separators."""
