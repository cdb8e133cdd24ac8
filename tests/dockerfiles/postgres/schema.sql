CREATE TABLE kilns (name text PRIMARY KEY, celsius integer NOT NULL);
INSERT INTO kilns VALUES ('raku', 1000), ('stoneware', 1280);
CREATE VIEW hot AS SELECT name FROM kilns WHERE celsius > 1200;
